"""Source and diff rows as HTML. A template would take ten times as long for thousands of rows."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from django.utils.safestring import SafeString, mark_safe

from artifacts.models import ReviewComment
from artifacts.rendering.difference import SHOWN_LINE, Difference, Line, Row, line_of

OPENED = 100
"""How many unchanged lines open at once."""
_NO_END = '<i title="No newline at the end of the file"></i>'
_NONE = '<td class="none" colspan="2"></td>'
_TAG, _CHARACTER = re.compile(r"(<[^>]*>)"), re.compile(r"&[^;]+;|[^&]")
_BLOCK = re.compile(r"(?:[A-Za-z_$].*[({:]|#{1,6} .*\w)\s*$")
"""A line that begins a block: a function or class that is not indented, or a heading."""
_LOOKED_ABOVE = 400


@dataclass(slots=True)
class DisplayRow:
    """One row with its comments, or a number of hidden lines from `first` on."""

    html: SafeString | str = ""
    old_number: int | None = None
    number: int | None = None  # the line of the new version that a comment here refers to
    hidden: int = 0
    first: int = 0
    chunk: str = ""  # the class of rows that open together
    context: str = ""  # the function or section that the hidden lines end in
    comments: list[ReviewComment] = field(default_factory=list)
    has_form: bool = False  # the comment form is open below it


@dataclass(frozen=True, slots=True)
class RowRenderer:
    """Renders the rows of one file.

    `old_link` and `new_link` are HTML for the number of a line, which replaces `{n}`. `old` and `new` are lines with
    colors, as HTML by their numbers, as far as there are any.
    """

    file_id: str
    old_link: str = "{n}"
    new_link: str = "{n}"
    old: Mapping[int, str] = field(default_factory=dict)
    new: Mapping[int, str] = field(default_factory=dict)

    def source(self, number: int, html: str) -> SafeString:
        return self._row(number, "", f"{_number(number, self.new_link)}<td>{html}</td>")

    def unified(self, row: Row, chunk: str = "") -> SafeString:
        old, new = row.numbers
        kind = "" if row.is_same else "went" if new is None else "came"
        text = _cell(row.old, self.old, kind) if new is None else _cell(row.new, self.new, kind)
        return self._row(new, kind or chunk, _number(old, self.old_link) + _number(new, self.new_link) + text)

    def split(self, row: Row, chunk: str = "") -> SafeString:
        old, new = row.numbers
        went, came = ("", "") if row.is_same else ("went", "came")
        left = _number(old, self.old_link, went) + _cell(row.old, self.old, went) if old else _NONE
        right = _number(new, self.new_link, came) + _cell(row.new, self.new, came) if new else _NONE
        return self._row(new, chunk, left + right)

    def _row(self, number: int | None, kind: str, cells: str) -> SafeString:
        anchor = "" if number is None else f' id="{self.file_id}-{number}"'
        return mark_safe(f'<tr{anchor} class="{kind}">{cells}</tr>\n')  # noqa: S308 -- every text in it is escaped


@dataclass(frozen=True, slots=True)
class DiffRows:
    """The rows of a difference; hidden lines between its hunks are shown from the numbers in `opened` on."""

    renderer: RowRenderer
    is_split: bool
    lines: Sequence[str]  # of the new version
    opened: Collection[int]

    def of(self, diff: Difference) -> Iterator[DisplayRow]:
        done = ahead = 0
        for hunk in diff.hunks:
            (old, first), last = hunk.rows[0].numbers, hunk.rows[-1].numbers
            if old and first:
                yield from self._between(done + 1, first, first - old)
            done = max((row.new.number for row in hunk.rows if row.new), default=done)
            ahead = done - (last[0] or 0)
            yield from map(self._shown, hunk.rows if self.is_split else hunk.unified)
        if diff.hunks and not diff.left_out:
            yield from self._between(done + 1, len(self.lines) + 1, ahead)

    def _between(self, at: int, stop: int, ahead: int) -> Iterator[DisplayRow]:
        """Yield the unchanged lines from a number on: those that were opened, and how many others there are."""
        chunk = ""
        while at < stop:
            if at in self.opened:
                chunk, end = f"open-{at}", min(at + OPENED, stop)
                for number in range(at, end):
                    old, new = (line_of(self.lines[number - 1], each) for each in (number - ahead, number))
                    yield self._shown(Row(old, new, True), chunk)
            else:
                end = min((number for number in self.opened if at < number < stop), default=stop)
                yield DisplayRow(hidden=end - at, first=at, chunk=chunk, context=self._context(end))
            at = end

    def _context(self, number: int) -> str:
        above = self.lines[max(number - 1 - _LOOKED_ABOVE, 0) : number - 1] if number <= len(self.lines) else ()
        return next((line.strip().rstrip("({: #") for line in reversed(above) if _BLOCK.match(line[:SHOWN_LINE])), "")

    def _shown(self, row: Row, chunk: str = "") -> DisplayRow:
        html = self.renderer.split(row, chunk) if self.is_split else self.renderer.unified(row, chunk)
        return DisplayRow(html, *row.numbers)


def _number(number: int | None, link: str, kind: str = "") -> str:
    return f'<td class="n {kind}">{"" if number is None else link.replace("{n}", str(number))}</td>'


def _cell(line: Line | None, coloured: Mapping[int, str], kind: str) -> str:
    text, tag = _text(line, coloured) if line else "", {"went": "del", "came": "ins"}.get(kind)
    return f'<td class="{kind}">{f"<{tag}>{text}</{tag}>" if tag else text}</td>'


def _text(line: Line, coloured: Mapping[int, str]) -> str:
    """Return a line as HTML, with what changed in it marked; without colors where they do not show a line end."""
    plain = escape(f"{line.before}{line.middle}{line.after}")
    is_plain = len(line.raw) > SHOWN_LINE or "\u240d" in line.middle
    shown = plain if is_plain else coloured.get(line.number, plain)
    if line.middle:
        shown = _marked(shown, len(line.before), len(line.before) + len(line.middle))
    return f"{shown}{'' if line.has_end else _NO_END}"


def _marked(html: str, begin: int, end: int) -> str:
    """Mark characters of coloured HTML, between each two tags by itself."""
    pieces, place = [], 0
    for piece in _TAG.split(html):
        signs = [] if piece.startswith("<") else _CHARACTER.findall(piece)
        first, last = max(begin - place, 0), min(end - place, len(signs))
        if first < last:
            piece = "".join([*signs[:first], "<b>", *signs[first:last], "</b>", *signs[last:]])
        pieces.append(piece)
        place += len(signs)
    return "".join(pieces)
