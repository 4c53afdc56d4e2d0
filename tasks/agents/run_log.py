"""The log of a run: what its agent did, one line of JSON per event, written by its supervisor and read by cursor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.utils import timezone

from tasks.agents.adapters.events import Event, Send, Turn, Usage

_TEXT_LIMIT = 4_000
"""Characters of a string in an entry, so that every line is short enough to be read at once."""
_READ_BYTES = 256 * 1024
SILENT = (Send, Turn, Usage)
"""Events that are numbers of the run, not lines of its log."""


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries of a log, each with `at` (ISO 8601), `kind` and what the kind has.

    Read on from `cursor`, and those before them with `read_before` and `start`.
    """

    entries: list[dict[str, Any]]
    cursor: int
    at_end: bool
    start: int = 0


def append(log: Path, entries: Iterable[dict[str, Any]]) -> None:
    at = timezone.now().isoformat(timespec="milliseconds")
    lines = [json.dumps({"at": at, **_cut(entry)}, ensure_ascii=False) for entry in entries]
    if lines:
        with log.open("ab") as file:
            file.write(b"".join(line.encode() + b"\n" for line in lines))


def _cut(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value[:_TEXT_LIMIT] if isinstance(value, str) else value for name, value in entry.items()}


def entry_of(event: Event) -> dict[str, Any] | None:
    if isinstance(event, SILENT):
        return None
    name = type(event).__name__
    kind = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
    return {"kind": kind, **{key: value for key, value in asdict(event).items() if value not in ("", None, False)}}


def read(log: Path, cursor: int = 0, *, limit: int = 100, newest: bool = False) -> Entries:
    """Return entries from a cursor on, or the newest ones. A cursor inside a line begins at the next one."""
    if newest:
        return read_before(log, None, limit=limit)
    return _read(log, lambda size: (min(cursor, size), size), limit, first=True)


def read_before(log: Path, cursor: int | None, *, limit: int = 100) -> Entries:
    """Return the entries that end at a cursor, such as the `start` of others; with None the newest."""

    def window(size: int) -> tuple[int, int]:
        end = size if cursor is None else min(cursor, size)
        return max(0, end - _window(limit)), end

    return _read(log, window, limit, first=False)


def _window(limit: int) -> int:
    return max(_READ_BYTES, limit * 1024)


def _read(log: Path, window: Callable[[int], tuple[int, int]], limit: int, *, first: bool) -> Entries:
    """Read the first or the last entries of a part of the log, which `window` chooses by its size."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            begin, end = window(size)
            file.seek(begin)
            raw = file.read(min(end - begin, _window(limit)))
    except FileNotFoundError:
        return Entries([], 0, at_end=True)
    lines = [line for line in raw.splitlines(keepends=True) if line.endswith(b"\n")]
    skipped = 0 if first else max(0, len(lines) - limit)
    start = begin + sum(map(len, lines[:skipped]))
    shown = lines[skipped : skipped + limit]
    after = start + sum(map(len, shown))
    return Entries([entry for line in shown if (entry := _entry_in(line)) is not None], after, after >= size, start)


def _entry_in(line: bytes) -> dict[str, Any] | None:
    """Return the entry of a line; None for what is left of one that a cursor cut."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
