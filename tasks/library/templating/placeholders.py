"""`{name}` in the texts of a template: found when it is read, replaced once when it is applied.

A value is data. It is never read again, takes one line in titles, and a fence in a description where it has several or
would open markup; characters that steer or reverse text are shown by their code.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

from orchestrator_site.kernel.text import fenced, shortened, visible
from tasks.library.templating.format import Value

LINE_LIMIT = 300
"""Characters of a value on one line."""
_MARK = re.compile(r"\{\{|\}\}|\{([^{}\n]*)\}|[{}]")
_MARKUP = re.compile(r"[#>`~<|]|(?:[-+*]|\d+[.)])(?:\s|$)|[-=*_ ]+$|.*(?:```|<!--)")
"""What would open a heading, a list, a quote, a table, a fence or a comment."""
_LITERAL = {"{{": "{", "}}": "}"}


def names_in(text: str) -> list[str]:
    """Return the names between braces. Raises ValueError for a brace that is neither doubled nor one of a pair."""
    names: list[str] = []
    for mark in _MARK.finditer(text):
        if mark[0] in ("{", "}"):
            raise ValueError(f"a single {mark[0]}; write {mark[0] * 2} for the character")
        if mark[0] not in _LITERAL:
            names.append(mark[1])
    return names


def on_one_line(text: str, values: Mapping[str, Value]) -> str:
    return _MARK.sub(lambda mark: _LITERAL.get(mark[0]) or _line(_said(values[mark[1]])), text)


def in_block(text: str, values: Mapping[str, Value]) -> str:
    return _MARK.sub(lambda mark: _LITERAL.get(mark[0]) or _block(_said(values[mark[1]])), text)


def length_of(text: str, values: Mapping[str, Value], *, most: int = sys.maxsize) -> int:
    """Return about how long a text gets, without making it; `most` is what a value is cut to."""
    return len(text) + sum(min(len(_said(values[name])), most) for name in names_in(text))


def _said(value: Value) -> str:
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value).replace("\r\n", "\n")


def _line(value: str) -> str:
    return visible(shortened(value[: 4 * LINE_LIMIT], LINE_LIMIT))


def _block(value: str) -> str:
    shown = visible(value.strip(), besides="\n\t")
    return f"\n\n{fenced(shown)}\n\n" if "\n" in shown or _MARKUP.match(shown) else shown
