"""The difference between two versions of a text: hunks of rows for a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

from artifacts.models import Content
from artifacts.rendering.lines import PICTURES
from artifacts.rendering.opcodes import Opcode, alike, plain_opcodes
from artifacts.rendering.sandbox import render

COMPARED_CHARACTERS = 1024 * 1024
COMPARED_LINES = 5_000
"""Lines of each side that are searched for moves, not counting those that are the same at both ends."""
SHOWN_ROWS = 6_000
SHOWN_LINE = 2_000
MARKED_LINE = 500
"""Characters of a line up to which changes within it are marked."""
CONTEXT = 3
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of one side; `middle` is what changed in it, where the other side has its counterpart."""

    number: int
    raw: str
    before: str
    middle: str
    after: str
    has_end: bool


@dataclass(frozen=True, slots=True)
class Row:
    """Two lines side by side; the same line twice where nothing changed."""

    old: Line | None
    new: Line | None
    is_same: bool

    @property
    def numbers(self) -> tuple[int | None, int | None]:
        return self.old.number if self.old else None, self.new.number if self.new else None


@dataclass(frozen=True, slots=True)
class Hunk:
    """Changes that are close together, with some lines around them."""

    rows: list[Row]

    @property
    def unified(self) -> Iterator[Row]:
        """The rows one below the other, removed ones before added ones."""
        added: list[Row] = []
        for row in self.rows:
            if row.is_same:
                yield from added
                added = []
                yield row
                continue
            if row.old:
                yield Row(row.old, None, False)
            if row.new:
                added.append(Row(None, row.new, False))
        yield from added


@dataclass(frozen=True, slots=True)
class Difference:
    hunks: list[Hunk]
    added: int
    removed: int
    compared: int | None = None
    """How many characters of each were compared, where that was not all."""
    is_rough: bool = False
    """Whether the texts were too different to find moves."""
    left_out: int = 0
    """Rows that are not shown."""


def difference(old: Content, new: Content, old_text: str, new_text: str, *, context: int = CONTEXT) -> Difference:
    """Compare two contents line by line, given their texts; `context` is at least 1.

    Call it outside any transaction.
    """
    is_cut = max(len(old_text), len(new_text)) > COMPARED_CHARACTERS
    before, after = lines_of(old_text), lines_of(new_text)
    fine = _fine(old, new, before, after)
    codes = fine or plain_opcodes(before, after)
    removed, added = _changed(codes)
    groups = list(_grouped(codes, context))
    hunks = list(_hunks(groups, before, after))
    left_out = sum(map(_height, chain.from_iterable(groups))) - sum(len(hunk.rows) for hunk in hunks)
    return Difference(hunks, added, removed, COMPARED_CHARACTERS if is_cut else None, fine is None, left_out)


def lines_of(text: str) -> list[str]:
    """Return the lines that are compared."""
    return _LINE.findall(text[:COMPARED_CHARACTERS])


def _fine(old: Content, new: Content, before: list[str], after: list[str]) -> list[Opcode] | None:
    """Return the changes including moves; None where there are too many, or it takes too long."""
    plain = plain_opcodes(before, after)
    changed = _changed(plain)
    if min(changed) == 0:  # nothing can have moved
        return plain
    if max(changed) > COMPARED_LINES:
        return None
    key = (old.sha256, new.sha256, str(len(before)), str(len(after)))
    found = render(key, "opcodes", old=before, new=after)
    return None if found is None else [(tag, first, last, start, stop) for tag, first, last, start, stop in found]


def _changed(codes: Iterable[Opcode]) -> tuple[int, int]:
    changed = [code for code in codes if code[0] != "equal"]
    return sum(code[2] - code[1] for code in changed), sum(code[4] - code[3] for code in changed)


def _grouped(codes: list[Opcode], context: int) -> Iterator[list[Opcode]]:
    """Group changes that are close together, with lines around them."""
    group: list[Opcode] = []
    for place, (tag, first, last, start, stop) in enumerate(codes):
        is_end = place in (0, len(codes) - 1)
        if tag != "equal" or (not is_end and last - first <= 2 * context):
            group.append((tag, first, last, start, stop))
            continue
        if group:
            yield [*group, (tag, first, min(last, first + context), start, min(stop, start + context))]
        group = [(tag, max(first, last - context), last, max(start, stop - context), stop)]
    if any(code[0] != "equal" for code in group):
        yield group


def _hunks(groups: list[list[Opcode]], old: list[str], new: list[str]) -> Iterator[Hunk]:
    """Yield hunks until a page is full, the last one cut."""
    left = SHOWN_ROWS
    for group in groups:
        rows = list(islice(_rows(group, old, new), left))
        left -= len(rows)
        if rows:
            yield Hunk(rows)


def _height(code: Opcode) -> int:
    return max(code[2] - code[1], code[4] - code[3])


def _rows(codes: list[Opcode], old: list[str], new: list[str]) -> Iterator[Row]:
    for tag, first, last, start, stop in codes:
        for place in range(_height((tag, first, last, start, stop))):
            was = old[first + place] if first + place < last else None
            now = new[start + place] if start + place < stop else None
            yield row_of(was, now, (first + place + 1, start + place + 1), is_same=tag == "equal")


def row_of(was: str | None, now: str | None, numbers: tuple[int, int], *, is_same: bool) -> Row:
    """Put two lines beside each other, with what differs between them, or one beside nothing."""
    head, tail = (0, 0) if is_same or was is None or now is None else _common(was, now)
    before = None if was is None else line_of(was, numbers[0], head, tail)
    after = None if now is None else line_of(now, numbers[1], head, tail)
    return Row(before, after, is_same)


def _common(was: str, now: str) -> tuple[int, int]:
    """Return how many characters two lines share at both ends; none where they share too few to be the same line."""
    longest = max(len(was), len(now))
    if longest > MARKED_LINE:
        return 0, 0
    head, tail = alike(was, now)
    return (head, tail) if 3 * (head + tail) > longest else (0, 0)


def line_of(text: str, number: int, head: int = 0, tail: int = 0) -> Line:
    has_end = text.endswith("\n")
    shown = text.removesuffix("\n").replace("\r", "\u240d").translate(PICTURES)
    if len(shown) > SHOWN_LINE:
        return Line(number, text, shown[:SHOWN_LINE] + "\u2026", "", "", has_end)
    if not head and not tail:
        return Line(number, text, shown, "", "", has_end)
    end = max(len(shown) - max(tail - has_end, 0), head)
    return Line(number, text, shown[:head], shown[head:end], shown[end:], has_end)
