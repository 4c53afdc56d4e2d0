"""Make commits survive a power cut before what they make superfluous is removed."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.db import connection


def sync_commits() -> None:
    """Sync what is committed. Call it before a file goes that a row would name again if the commit were lost.

    SQLite syncs each commit itself with `full`, as PostgreSQL does; with `normal` its log is synced here.
    """
    if connection.vendor != "sqlite" or settings.ORCHESTRATOR_SYNCHRONOUS == "full":
        return
    log = Path(f"{connection.settings_dict['NAME']}-wal")
    with suppress(FileNotFoundError):  # everything is in the database, which is synced before its log goes
        descriptor = os.open(log, os.O_RDWR)  # no lock of SQLite is on this file, so closing it frees none
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
