"""The log of a run: what its agent did, one line of JSON per event, written by its supervisor and read by cursor."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.utils import timezone

from tasks.agents.adapters.events import Event, Send, Turn, Usage

_LINE_LIMIT = 16 * 1024
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
    lines = [json.dumps({"at": at, **entry}, ensure_ascii=False)[:_LINE_LIMIT] for entry in entries]
    if lines:
        with log.open("ab") as file:
            file.write(b"".join(line.encode() + b"\n" for line in lines))


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
            if newest:
                cursor = max(0, size - limit * 400)
            file.seek(min(cursor, size))
            if newest and cursor:
                cursor += len(file.readline(_LINE_LIMIT * 2))
            return _entries(file.read(max(_LINE_LIMIT * 2, limit * 1024)), min(cursor, size), limit, size)
    except FileNotFoundError:
        return Entries([], 0, at_end=True)


def _entries(raw: bytes, cursor: int, limit: int, size: int) -> Entries:
    found: list[dict[str, Any]] = []
    for line in raw.splitlines(keepends=True)[:limit]:
        if not line.endswith(b"\n"):
            break
        cursor += len(line)
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # one that was cut, or a cursor in the middle
        if isinstance(entry, dict):
            found.append(entry)
    return Entries(found, cursor, at_end=cursor >= size)
