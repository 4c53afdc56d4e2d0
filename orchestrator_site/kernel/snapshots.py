"""Read one state of the database by several queries, while others write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction


@contextmanager
def snapshot() -> Iterator[None]:
    """See one state of the database in a block that only reads, without the lock that writers take.

    Within a transaction, its own state is seen.
    """
    if connection.in_atomic_block:
        yield
        return
    with _deferred(), transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


@contextmanager
def _deferred() -> Iterator[None]:
    """Let SQLite begin transactions without the lock; every other database does so anyway."""
    wrapper: Any = connection
    mode = getattr(wrapper, "transaction_mode", None)
    wrapper.transaction_mode = None
    try:
        yield
    finally:
        wrapper.transaction_mode = mode
