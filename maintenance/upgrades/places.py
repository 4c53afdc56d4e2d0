"""The files beside the database. Every start asks for them, so this imports little."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper

_NAME = "upgrade-failed.json"


def sqlite_file(connection: BaseDatabaseWrapper) -> Path | None:
    """Return None for PostgreSQL and for a database in memory, which has one process only."""
    if connection.vendor != "sqlite":
        return None
    name = str(connection.settings_dict["NAME"])
    return None if name == ":memory:" or "mode=memory" in name else Path(name)


def notice_of(connection: BaseDatabaseWrapper) -> Path:
    """Return the file that is there from a failure on until an upgrade succeeds."""
    database = sqlite_file(connection)
    if database is None:
        return Path(settings.ORCHESTRATOR_HOME) / _NAME
    return database.with_name(f"{database.name}.{_NAME}")
