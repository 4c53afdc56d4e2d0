"""How much of something each credential may hold at once, so that none takes all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from threading import Lock

from anyio import CapacityLimiter, WouldBlock

from orchestrator_site.kernel.errors import Transient

STREAMS_PER_CREDENTIAL = 16
CALLS_PER_CREDENTIAL = 2
READS_PER_CREDENTIAL = 4
LARGE_PER_CREDENTIAL = 1
BODIES_PER_CREDENTIAL = 2


class Shares:
    """Counts what is held, in any thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: Counter[str] = Counter()
        self._lock = Lock()

    def take(self, who: str) -> None:
        """Hold one until `give_back`. Raises Transient where all of a share is held."""
        with self._lock:
            if self._held[who] >= self._most:
                raise Transient(f"At most {self._most} streams at once for one credential.", retry_after_ms=10_000)
            self._held[who] += 1

    def give_back(self, who: str) -> None:
        with self._lock:
            self._held[who] -= 1
            if not self._held[who]:
                del self._held[who]

    @contextmanager
    def share(self, who: str) -> Iterator[None]:
        """Hold one. Raises Transient where all of a share is held."""
        self.take(who)
        try:
            yield
        finally:
            self.give_back(who)


class Turns:
    """Lets what is beyond a share wait."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._limiters: dict[str, CapacityLimiter] = {}

    @asynccontextmanager
    async def turn(self, who: str) -> AsyncIterator[Callable[[], None]]:
        """Hold a turn, and yield what gives it back before the block ends, in any task."""
        limiter = self._limiters.setdefault(who, CapacityLimiter(self._at_once))
        try:
            with ExitStack() as held:
                holder = object()
                try:
                    limiter.acquire_on_behalf_of_nowait(holder)
                except WouldBlock:
                    await limiter.acquire_on_behalf_of(holder)
                held.callback(limiter.release_on_behalf_of, holder)
                yield held.close
        finally:
            is_idle = not limiter.borrowed_tokens and not limiter.statistics().tasks_waiting
            if is_idle and self._limiters.get(who) is limiter:
                del self._limiters[who]
