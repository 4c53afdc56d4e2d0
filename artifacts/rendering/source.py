"""Text as coloured HTML, line by line, with classes only. Runs only in the rendering process."""

from __future__ import annotations

import json
import re

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.lexers.special import TextLexer
from pygments.util import ClassNotFound

_OPTIONS = {"stripnl": False}
_FORMATTER = HtmlFormatter(nowrap=True)
_PICTURES = {number: 0x2400 + number for number in range(32) if chr(number) not in "\t\n\r"} | {0x7F: 0x2421}
_SIGNS = (
    (r"#!.*\bpython", "python"),
    (r"#!.*\b(?:ba|da|z|k)?sh\b", "bash"),
    (r"#!.*\bnode\b", "javascript"),
    (r"#!.*\bruby\b", "ruby"),
    (r"#!.*\bperl\b", "perl"),
    (r"<\?php\b", "php"),
    (r"<\?xml\b", "xml"),
    (r"(?i)<!doctype html|<html\b", "html"),
    (r"diff --git |--- .*\n\+\+\+ |Index: ", "diff"),
    (r"%YAML |---\n\w+:", "yaml"),
)
"""How a text without a telling name says itself what it is."""


def source(text: str, name: str) -> str:
    """Return a text in lines, each with its number as an anchor; the name of its file tells the language."""
    lines = _html(text, _lexer(text, name)).split("\n")
    if lines[-1] == "":
        lines.pop()
    return "".join(f'<span id="L{number}">{_ANCHOR % number}{line}\n</span>' for number, line in enumerate(lines, 1))


def coloured(text: str, language: str) -> str:
    """Return a text as HTML, coloured where the language is known by its name."""
    try:
        lexer = get_lexer_by_name(language, **_OPTIONS) if language else TextLexer(**_OPTIONS)
    except ClassNotFound:
        lexer = TextLexer(**_OPTIONS)
    return _html(text, lexer)


_ANCHOR = '<a href="#L%d" tabindex="-1" aria-hidden="true"></a>'


def _html(text: str, lexer: Lexer) -> str:
    """Show characters without a shape by their pictures: a lone CR would otherwise count as a line."""
    shown = text.replace("\r\n", "\n").replace("\r", "\u240d").translate(_PICTURES)
    return str(highlight(shown, lexer, _FORMATTER))


def _lexer(text: str, name: str) -> Lexer:
    try:
        return get_lexer_for_filename(name, text[:1000], **_OPTIONS)
    except ClassNotFound:
        return get_lexer_by_name(_language(text), **_OPTIONS)


def _language(text: str) -> str:
    begin = text[:200].lstrip("\ufeff")
    found = next((language for sign, language in _SIGNS if re.match(sign, begin)), None)
    return found or ("json" if begin[:1] in ("{", "[") and _is_json(text) else "text")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
