"""Poll the events table for everyone in this process who follows it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import takewhile
from typing import ClassVar, Generic, Protocol, TypeVar

import anyio
from django.db import DatabaseError
from django.db.models import Model

from orchestrator_site.asgi.database import in_thread
from orchestrator_site.asgi.shares import STREAMS_PER_CREDENTIAL, Shares

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
KEPT = 2000
THREADS = 2
SCOPE_KEY = "orchestrator.events"
"""Where the ASGI scope of a request holds the hub; there is none under WSGI or in Django's test client."""

Event = TypeVar("Event", bound=Model)
Result = TypeVar("Result")


class EventReader(Protocol[Event]):
    def last_id(self) -> int:
        """Return the id up to which every event can be read."""

    def read_after(self, event_id: int) -> list[Event]:
        """Return the first events after an id, the oldest first."""


class EventHub(Generic[Event]):
    """One per server: it polls while there are followers, keeps the latest events and passes them to listeners."""

    is_over: ClassVar[bool] = False
    """Whether this process is shutting down; a signal handler may set it."""

    def __init__(self, reader: EventReader[Event]) -> None:
        self.last_id = 0
        self.streams = 0
        self.shares = Shares(STREAMS_PER_CREDENTIAL)
        self.listeners: list[Callable[[list[Event]], Awaitable[None]]] = []
        self._reader = reader
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self._kept_after = 0
        self._followers = 0
        self._is_polling = False
        self._started = anyio.Event()
        self.change = anyio.Event()
        """Set by the next change. Get it before reading the events, so that none falls in between."""
        self._threads = anyio.CapacityLimiter(THREADS)

    async def run(self) -> None:
        """Poll until cancelled, but only while there are followers."""
        while True:
            await self._started.wait()
            while self._followers:
                await anyio.sleep(POLL_SECONDS)
                await self._poll()
            self._is_polling, self._started = False, anyio.Event()

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Keep the hub polling; it misses nothing that happens once the context is entered."""
        await self.follow()
        try:
            yield
        finally:
            self.unfollow()

    async def follow(self) -> None:
        self._followers += 1
        if self._is_polling:
            return
        try:
            last_id = await self.ask(self._reader.last_id, default=self.last_id)
        except BaseException:  # a cancelled follower must not keep the hub polling
            self.unfollow()
            raise
        if not self._is_polling:  # another follower may have started it in between
            self._kept.clear()
            self.last_id = self._kept_after = last_id
            self._is_polling = True
            self._started.set()

    def unfollow(self) -> None:
        self._followers -= 1

    def kept_since(self, event_id: int) -> list[Event] | None:
        """Return the events after an id; None if the oldest of them are no longer kept."""
        if event_id < self._kept_after:
            return None
        return list(takewhile(lambda event: event.pk > event_id, reversed(self._kept)))[::-1]

    async def ask(self, query: Callable[[], Result], *, default: Result) -> Result:
        """Query the database; return the default if it does not answer, since the next poll asks again."""

        def ask() -> Result:
            try:
                return query()
            except DatabaseError:
                logger.exception("Polling the events failed; followers will catch up.")
                return default

        return await in_thread(ask, limiter=self._threads)

    async def _poll(self) -> None:
        events: list[Event] = await self.ask(lambda: self._reader.read_after(self.last_id), default=[])
        for event in events:
            if len(self._kept) == self._kept.maxlen:
                self._kept_after = self._kept[0].pk
            self._kept.append(event)
            self.last_id = event.pk
        if events or self.is_over:
            self.change.set()
            self.change = anyio.Event()
        if events:
            for listener in self.listeners:
                await listener(events)
