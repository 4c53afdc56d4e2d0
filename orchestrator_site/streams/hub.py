"""Looks for new events twice a second while anybody follows them, and keeps the latest for all who do."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import TypeVar

import anyio
from anyio.to_thread import run_sync
from django.db import DatabaseError, close_old_connections

from orchestrator_site.kernel import shutdown
from tasks.api.events import frame
from tasks.models import Event
from tasks.selectors import feed
from tasks.selectors.feed import Wanted

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
BATCH = 500
_KEPT = 2000
_THREADS = 2
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Told:
    """An event and how it stands in a stream."""

    event: Event
    frame: bytes


class Hub:
    """One per process; `run` beside the server."""

    def __init__(self) -> None:
        self.is_over = False
        self.last_id = 0
        self._from = 0
        self._kept: deque[Told] = deque(maxlen=_KEPT)
        self._followers = 0
        self._is_following = False
        self._wake = anyio.Event()
        self._changed = anyio.Event()
        self._threads: anyio.CapacityLimiter | None = None

    async def run(self) -> None:
        """Look for events for ever, while anybody follows."""
        self._threads = anyio.CapacityLimiter(_THREADS)
        while True:
            await self._wake.wait()
            while self._followers:
                await anyio.sleep(POLL_SECONDS)
                await self._look()
            self._is_following, self._wake = False, anyio.Event()

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Keep looking while the context is open; whatever happens from its beginning on is not missed."""
        self._followers += 1
        try:
            if not self._is_following:
                self.last_id = self._from = await self.ask(feed.last_id, otherwise=self.last_id)
                self._kept.clear()
                self._is_following = True
                self._wake.set()
            yield
        finally:
            self._followers -= 1

    def change(self) -> anyio.Event:
        """Return what is set at the next change. Take it before you look, so that none comes in between."""
        return self._changed

    def kept_since(self, event_id: int) -> list[Told] | None:
        """Return the events after one; None where not all of them are kept any more."""
        if event_id < self._from:
            return None
        found = list(takewhile(lambda told: told.event.pk > event_id, reversed(self._kept)))
        return found[::-1]

    async def earlier(self, wanted: Wanted, event_id: int) -> tuple[list[Told], int]:
        """Return some wanted events after one that is long past, and the id to go on from."""
        nothing = feed.Batch([], event_id, has_more=True)
        found = await self.ask(lambda: feed.batch(wanted, after=event_id, limit=BATCH), otherwise=nothing)
        return [_told(event) for event in found.events], found.last_id

    async def ask(self, question: Callable[[], Result], *, otherwise: Result) -> Result:
        """Ask the database beside the event loop; where it does not answer, the next round asks again."""

        def asked() -> Result:
            close_old_connections()
            try:
                return question()
            except DatabaseError:
                logger.exception("The events could not be read; whoever follows hears of them later.")
                return otherwise
            finally:
                close_old_connections()

        return await run_sync(asked, limiter=self._threads)

    async def _look(self) -> None:
        self.is_over = shutdown.has_begun()
        found: list[Told] = await self.ask(lambda: _after(self.last_id), otherwise=[])
        for told in found:
            if len(self._kept) == _KEPT:
                self._from = self._kept[0].event.pk
            self._kept.append(told)
            self.last_id = told.event.pk
        if found or self.is_over:
            self._changed.set()
            self._changed = anyio.Event()


def _after(event_id: int) -> list[Told]:
    if feed.last_id() <= event_id:
        return []
    return [_told(event) for event in feed.batch(Wanted(), after=event_id, limit=BATCH).events]


def _told(event: Event) -> Told:
    return Told(event, frame(event).encode())
