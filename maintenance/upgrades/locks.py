"""A lock between processes, held while one of them changes the schema.

The kernel (or PostgreSQL) frees it when its holder dies, however it dies, so nobody ever has to clean up after a crash.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper

from orchestrator_site.kernel.errors import Transient

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 600.0
NOTICE_SECONDS = 3.0
POLL_SECONDS = 0.02
# Any number will do, as long as every version of the product takes the same one.
ADVISORY_KEY = 7_236_830_117


@contextmanager
def file_lock(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock on a file beside the database, alone or together with others who asked for `shared`.

    Raises Transient where somebody held it for `PATIENCE_SECONDS`.
    """
    with FileIO(str(path), "a") as handle:
        _wait_for(lambda: _try_file(handle, shared))
        try:
            yield
        finally:
            _free_file(handle)


@contextmanager
def advisory_lock(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Hold PostgreSQL's advisory lock in this connection's session.

    Raises Transient where somebody held it for `PATIENCE_SECONDS`.
    """
    _wait_for(lambda: _ask(connection, "SELECT pg_try_advisory_lock(%s)"))
    try:
        yield
    finally:
        _ask(connection, "SELECT pg_advisory_unlock(%s)")


def _wait_for(try_once: Callable[[], bool]) -> None:
    """Poll rather than block, so that a holder who hangs is named instead of hanging everybody."""
    began = time.monotonic()
    noticed = False
    while not try_once():
        waited = time.monotonic() - began
        if waited > PATIENCE_SECONDS:
            raise Transient(
                "Another process has been changing the database for ten minutes, and this one has to wait for it.",
                retry_after_ms=60_000,
                next="Look for a process of the orchestrator that hangs, end it, and start again.",
            )
        if waited > NOTICE_SECONDS and not noticed:
            noticed = True
            logger.warning("Waiting: another process is bringing the database up to date.")
        time.sleep(POLL_SECONDS)


def _ask(connection: BaseDatabaseWrapper, sql: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(sql, [ADVISORY_KEY])
        return bool(cursor.fetchone()[0])


if sys.platform == "win32":
    import msvcrt

    def _try_file(handle: FileIO, shared: bool) -> bool:
        """Windows knows no shared lock here; the holders of one are quick."""
        handle.seek(0)
        try:
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _free_file(handle: FileIO) -> None:
        handle.seek(0)
        msvcrt.locking(handle.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_file(handle: FileIO, shared: bool) -> bool:
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _free_file(handle: FileIO) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)
