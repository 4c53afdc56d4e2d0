"""Lines of a text as HTML, each with its number as a link, without a parser."""

from __future__ import annotations

from html import escape

KNOWN_BY = 4_096
"""Characters at the beginning of a text from which its language is guessed."""
PICTURES = {number: 0x2400 + number for number in range(32) if chr(number) not in "\t\n\r"} | {0x7F: 0x2421}
"""What is shown for characters that have no shape."""
_LINE = '<span id="L{0}"><a href="#L{0}" data-line="{0}" tabindex="-1" aria-hidden="true"></a>{1}\n</span>'
_REST = '<span><a tabindex="-1" aria-hidden="true"></a>{}\n</span>'


def visible(text: str) -> str:
    """Show characters without a shape by their pictures: a lone CR would otherwise count as a line."""
    return text.replace("\r\n", "\n").replace("\r", "\u240d").translate(PICTURES)


def numbered(html: str, first: int = 1, *, goes_on: bool = False) -> str:
    """Return HTML in lines from number `first` on; where it `goes_on`, the first is the rest of an earlier line."""
    lines = html.split("\n")
    if lines[-1] == "":
        lines.pop()
    rest = _REST.format(lines.pop(0)) if goes_on and lines else ""
    begin = first + bool(rest)
    return rest + "".join(_LINE.format(number, line) for number, line in enumerate(lines, begin))


def plain_lines(text: str, first: int = 1, *, goes_on: bool = False) -> str:
    return numbered(escape(visible(text), quote=False), first, goes_on=goes_on)


def unnumbered(text: str) -> str:
    return f"<span>{escape(visible(text), quote=False)}</span>"


def marked(html: str, first: int, last: int) -> str:
    """Mark numbered lines; only our own markup can match, since every `<` of a text is escaped."""
    for number in range(first, last + 1):
        html = html.replace(f'<span id="L{number}">', f'<span id="L{number}" class="here">', 1)
    return html
