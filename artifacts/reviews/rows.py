"""Source and diff rows as HTML. A template would take ten times as long for thousands of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

from django.utils.safestring import SafeString, mark_safe

from artifacts.rendering.difference import SHOWN_LINE, Line, Row

_NO_END = '<i title="No newline at the end of the file"></i>'
_NONE = '<td class="none" colspan="2"></td>'


@dataclass(frozen=True, slots=True)
class RowRenderer:
    """Renders the rows of one file. `form_url` opens the comment form at a line, without the line number.

    `old` and `new` are lines with colors, as HTML by their numbers, as far as there are any.
    """

    file_id: str
    form_url: str = ""
    old: Mapping[int, str] = field(default_factory=dict)
    new: Mapping[int, str] = field(default_factory=dict)

    def source(self, number: int, html: str) -> SafeString:
        return self._row(number, "", f"{self._number(number)}<td>{html}</td>")

    def unified(self, row: Row) -> SafeString:
        number = row.new.number if row.new else None
        old = f'<td class="n">{row.old.number if row.old else ""}</td>'
        text = _text(row.new, self.new) if row.new else _text(row.old, self.old) if row.old else ""
        kind = "" if row.is_same else "came" if row.new else "went"
        tag = {"came": "ins", "went": "del"}.get(kind)
        shown = f"<{tag}>{text}</{tag}>" if tag else text
        return self._row(number, kind, f"{old}{self._number(number)}<td>{shown}</td>")

    def split(self, row: Row) -> SafeString:
        number = row.new.number if row.new else None
        went, came = ("", "") if row.is_same else ("went", "came")
        old = (
            f'<td class="n {went}">{row.old.number}</td>{_cell(_text(row.old, self.old), went, "del")}'
            if row.old
            else _NONE
        )
        new = f"{self._number(number, came)}{_cell(_text(row.new, self.new), came, 'ins')}" if row.new else _NONE
        return self._row(number, "", old + new)

    def _row(self, number: int | None, kind: str, cells: str) -> SafeString:
        anchor = "" if number is None else f' id="{self.file_id}-{number}"'
        return mark_safe(f'<tr{anchor} class="{kind}">{cells}</tr>\n')  # noqa: S308 -- every text in it is escaped

    def _number(self, number: int | None, kind: str = "") -> str:
        shown = "" if number is None else str(number)
        if shown and self.form_url:
            shown = (
                f'<a href="{escape(self.form_url)}{number}#remark" data-line="{number}" tabindex="-1" '
                f'aria-label="Comment on line {number}">{number}</a>'
            )
        return f'<td class="n {kind}">{shown}</td>'


def _cell(text: str, kind: str, tag: str) -> str:
    shown = f"<{tag}>{text}</{tag}>" if kind else text
    return f'<td class="{kind}">{shown}</td>'


def _text(line: Line, coloured: Mapping[int, str]) -> str:
    """Return a line as HTML; where a part of it changed that is marked, and there are no colors."""
    middle = f"<b>{escape(line.middle)}</b>" if line.middle else ""
    plain = f"{escape(line.before)}{middle}{escape(line.after)}"
    shown = plain if middle or len(line.raw) > SHOWN_LINE else coloured.get(line.number, plain)
    return f"{shown}{'' if line.has_end else _NO_END}"
