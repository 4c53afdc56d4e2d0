"""The lock that a process holds while it changes the schema; a crash frees it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from io import FileIO
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper

from maintenance.upgrades.places import sqlite_file
from orchestrator_site.kernel.errors import Transient
from orchestrator_site.kernel.files import try_lock
from orchestrator_site.kernel.polling import poll

logger = logging.getLogger(__name__)

NOTICE_SECONDS = 3.0
PATIENCE_SECONDS = 600.0
ADVISORY_KEY = 7_236_830_117  # any number, as long as every version of the product uses the same


def schema_lock(connection: BaseDatabaseWrapper) -> AbstractContextManager[None]:
    """Return the lock under which one process changes the schema while others wait."""
    if connection.vendor == "postgresql":
        return advisory_lock(connection)
    path = sqlite_file(connection)
    return file_lock(path.with_name(f"{path.name}.migrate-lock")) if path else nullcontext()


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold a lock on a file beside the database. Raises Transient after `PATIENCE_SECONDS`."""
    with FileIO(str(path), "a") as file:
        _wait_for(lambda: try_lock(file))
        yield


@contextmanager
def advisory_lock(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Hold PostgreSQL's advisory lock in this connection's session. Raises Transient after `PATIENCE_SECONDS`."""
    _wait_for(lambda: _ask(connection, "SELECT pg_try_advisory_lock(%s)"))
    try:
        yield
    finally:
        _ask(connection, "SELECT pg_advisory_unlock(%s)")


def _wait_for(try_once: Callable[[], bool]) -> None:
    """Poll rather than block, so that a process which hangs is reported instead of hanging all others."""
    if poll(try_once, seconds=NOTICE_SECONDS):
        return
    logger.warning("Waiting: another process is bringing the database up to date.")
    if not poll(try_once, seconds=PATIENCE_SECONDS):
        raise Transient(
            "Another process has been changing the database for ten minutes.",
            retry_after_ms=60_000,
            next="Find the process of the orchestrator that hangs, stop it, and start again.",
        )


def _ask(connection: BaseDatabaseWrapper, sql: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(sql, [ADVISORY_KEY])
        return bool(cursor.fetchone()[0])
