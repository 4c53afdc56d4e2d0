"""The log of a run: what its agent did, one line of JSON per event, written by its supervisor and read by cursor."""

from __future__ import annotations

import json
from collections.abc import Iterable
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
    """Entries of a log, each with `at` (ISO 8601), `kind` and what the kind has; read on from `cursor`."""

    entries: list[dict[str, Any]]
    cursor: int
    at_end: bool


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
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            window = max(_READ_BYTES, limit * 1024)
            start = max(0, size - window) if newest else min(cursor, size)
            file.seek(start)
            lines = [line for line in file.read(window).splitlines(keepends=True) if line.endswith(b"\n")]
    except FileNotFoundError:
        return Entries([], 0, at_end=True)
    skipped = max(0, len(lines) - limit) if newest else 0
    after = start + sum(map(len, lines[: skipped + limit]))
    found = [entry for line in lines[skipped : skipped + limit] if (entry := _entry_in(line)) is not None]
    return Entries(found, after, at_end=after >= size)


def _entry_in(line: bytes) -> dict[str, Any] | None:
    """Return the entry of a line; None for what is left of one that a cursor cut."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
