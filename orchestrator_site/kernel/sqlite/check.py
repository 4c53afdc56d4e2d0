"""Look for damage in an SQLite file."""

from __future__ import annotations

import time
from typing import Any

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

_INSTRUCTIONS = 100_000


def quick_check(connection: BaseDatabaseWrapper, seconds: float = float("inf")) -> str | None:
    """Return the damage, an empty string if there is none, or None if the check took too long."""
    connection.ensure_connection()
    raw: Any = connection.connection
    ends_at = time.monotonic() + seconds
    raw.set_progress_handler(lambda: time.monotonic() > ends_at, _INSTRUCTIONS)
    try:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA quick_check(1)")
            result = str(cursor.fetchone()[0])
    except DatabaseError as error:
        return None if "interrupted" in str(error) else str(error)
    finally:
        raw.set_progress_handler(None, 0)
    return "" if result == "ok" else result
