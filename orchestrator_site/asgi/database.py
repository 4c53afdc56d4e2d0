"""Database access from the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from django.db import close_old_connections

Result = TypeVar("Result")


async def in_thread(
    query: Callable[[], Result], *, limiter: CapacityLimiter | None = None, abandon_on_cancel: bool = False
) -> Result:
    def run() -> Result:
        # These threads serve no request, so Django's request signals never close a connection that has gone bad.
        close_old_connections()
        try:
            return query()
        finally:
            close_old_connections()

    return await run_sync(run, limiter=limiter, abandon_on_cancel=abandon_on_cancel)
