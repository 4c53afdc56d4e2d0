"""The backups that are there: those before upgrades and restores, and the daily ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from maintenance.services.backup import DATABASE
from maintenance.upgrades.copies import folder


@dataclass(frozen=True, slots=True)
class Kept:
    """A backup; the size is that of the database in it, without content."""

    name: str
    made_at: datetime
    size_bytes: int


def backups() -> list[Kept]:
    """Return them, newest first."""
    found = []
    for name, file in _files():
        with suppress(OSError):  # removed since, or not ours to read
            state = file.stat()
            found.append(Kept(name, datetime.fromtimestamp(state.st_mtime, UTC), state.st_size))
    return sorted(found, key=lambda each: each.made_at, reverse=True)


def _files() -> Iterator[tuple[str, Path]]:
    yield from ((file.name, file) for file in folder().glob("*-before-*") if file.suffix != ".partial")
    if settings.ORCHESTRATOR_BACKUPS:
        daily = Path(settings.ORCHESTRATOR_BACKUPS)
        yield from ((file.parent.name, file) for file in daily.glob(f"*/{DATABASE}"))
