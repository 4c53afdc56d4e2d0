"""A few threads for many calls, of which none may hold up the others."""

from __future__ import annotations

import math
from asyncio import get_running_loop
from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter

from orchestrator_site.asgi.database import in_thread
from orchestrator_site.asgi.shares import Turns

Result = TypeVar("Result")


class Threads:
    """Runs so many calls at once, in their order. One that takes longer than its time counts no more.

    So a call that hangs, or that waits for a lock, costs the others its time once. What limits the threads then is how
    many calls each caller may have at once.
    """

    def __init__(self, most: int, *, seconds: float) -> None:
        self._turns = Turns(most)
        self._seconds = seconds
        self._uncounted = CapacityLimiter(math.inf)

    async def run(self, query: Callable[[], Result]) -> Result:
        async with self._turns.turn("") as give_turn_back:
            overtime = get_running_loop().call_later(self._seconds, give_turn_back)
            try:
                return await in_thread(query, limiter=self._uncounted)
            finally:
                overtime.cancel()
