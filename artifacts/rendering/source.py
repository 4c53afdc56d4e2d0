"""Text as coloured HTML, line by line, with classes only. Runs only in the rendering process."""

from __future__ import annotations

import json
import re
from html import escape

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.lexers.special import TextLexer
from pygments.util import ClassNotFound

from artifacts.rendering.lines import KNOWN_BY, numbered, visible

_OPTIONS = {"stripnl": False}
_FORMATTER = HtmlFormatter(nowrap=True)
_BEGINS_JSON = re.compile(r'\s*(?:\{\s*"|\[\s*[\[{"\d-])')
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
"""How a text without a telling name shows its language."""


def source(text: str, name: str, begin: str, first: int, goes_on: bool) -> str:
    """Return a part of a text in lines from number `first` on; how the text begins helps to guess its language."""
    return numbered(_html(text, _lexer(begin, name)), first, goes_on=goes_on)


def coloured(text: str, language: str) -> str:
    """Return a text as HTML, coloured where the language is known by its name."""
    try:
        lexer = get_lexer_by_name(language, **_OPTIONS) if language else TextLexer(**_OPTIONS)
    except ClassNotFound:
        lexer = TextLexer(**_OPTIONS)
    return _html(text, lexer)


def _html(text: str, lexer: Lexer) -> str:
    """Return a text with colours; without them from a lexer that makes other lines of it than it has."""
    shown = visible(text)
    html = str(highlight(shown, lexer, _FORMATTER))
    return html if html.count("\n") == shown.count("\n") + (shown[-1:] != "\n") else escape(shown, quote=False)


def _lexer(text: str, name: str) -> Lexer:
    try:
        return get_lexer_for_filename(name, text[:1000], **_OPTIONS)
    except ClassNotFound:
        begin = text[:200].lstrip("\ufeff")
        found = next((language for sign, language in _SIGNS if re.match(sign, begin)), None)
        language = found or ("json" if begin[:1] in ("{", "[") and _is_json(text) else "text")
        return get_lexer_by_name(language, **_OPTIONS)


def _is_json(text: str) -> bool:
    """Whether it is JSON; of a longer one, which is known by its beginning, whether it looks so."""
    if len(text) == KNOWN_BY:
        return bool(_BEGINS_JSON.match(text))
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
