"""Refuse every change that this process tries for as long as a file says that the upgrade of the database failed.

The database wrappers open their connections read-only then, so no entry point has to ask.
"""

from __future__ import annotations

from pathlib import Path

from orchestrator_site.kernel.commits import unchanged
from orchestrator_site.kernel.errors import Transient

WHY = "The database is read-only, because its upgrade failed."

_notice: Path | None = None


def start(notice: Path) -> None:
    """Refuse changes until this file is gone."""
    global _notice
    _notice = notice


def stop() -> None:
    global _notice
    _notice = None


def is_on() -> bool:
    if _notice is not None and not _notice.exists():
        stop()
    return _notice is not None


def refused() -> Transient:
    return Transient(
        WHY,
        retry_after_ms=60_000,
        next=f"{unchanged()} Reading goes on. Ask the person who runs the server to look at manage.py doctor; retry "
        "once another version has upgraded it.".strip(),
    )
