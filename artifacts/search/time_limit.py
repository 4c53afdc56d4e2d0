"""End a search that takes too long, since every database connection and core it uses is another caller's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, Timer
from typing import Any

from django.db import OperationalError, connection

from orchestrator_site.kernel.errors import TooLarge

SEARCH_SECONDS = 3.0
_CANCELLED = "57014"


@contextmanager
def time_limit() -> Iterator[None]:
    """Raises TooLarge where the queries inside take longer than SEARCH_SECONDS."""
    try:
        with _sqlite() if connection.vendor == "sqlite" else _postgresql():
            yield
    except OperationalError as error:
        if "interrupted" not in str(error) and getattr(error.__cause__, "sqlstate", "") != _CANCELLED:
            raise
        raise TooLarge(
            f"The search took longer than {SEARCH_SECONDS:g} s.",
            next="Search for fewer or longer words, or in one task.",
            details={"limit_seconds": SEARCH_SECONDS},
        ) from error


@contextmanager
def _sqlite() -> Iterator[None]:
    connection.ensure_connection()
    raw: Any = connection.connection
    lock, is_over = Lock(), False

    def interrupt() -> None:
        with lock:
            if not is_over:  # or the next statement would be interrupted
                raw.interrupt()

    timer = Timer(SEARCH_SECONDS, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        with lock:
            is_over = True


@contextmanager
def _postgresql() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = %s", [int(SEARCH_SECONDS * 1000)])
        try:
            yield
        finally:
            if not connection.needs_rollback:
                cursor.execute("SET statement_timeout = DEFAULT")
