"""Tell clients that watch a resource when it has changed, whichever process changed it.

The events table is asked twice a second for what is new, and only while somebody watches. Watchers of a project hear of
that project alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import anyio
import mcp_types
from anyio.abc import TaskGroup
from anyio.to_thread import run_sync
from django.db import DatabaseError, close_old_connections
from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated, ServerEvent

from tasks.models import Event
from tasks.selectors import feed

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
BATCH = 500
WATCHED_PER_CLIENT = 100
"""How many resources one client may watch; more than a person could follow."""
STREAMS_PER_PROJECT = 256


class _Bus(InMemorySubscriptionBus):
    """The SDK's bus, which tells whether anybody listens."""

    listeners = 0

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Register a listener; the callable that comes back takes it off again, once."""
        unsubscribe = super().subscribe(listener)
        self.listeners += 1

        def leave() -> None:
            nonlocal unsubscribe
            self.listeners -= unsubscribe is not _nothing
            unsubscribe()
            unsubscribe = _nothing

        return leave


def _nothing() -> None:
    """There is nothing left to take off."""


@dataclass(slots=True)
class _Watcher:
    """What a connection of the older era watches, and what of it has changed that it was not told yet."""

    uris: set[str] = field(default_factory=set)
    untold: dict[str, None] = field(default_factory=dict)
    is_being_told: bool = False

    def note(self, connection: Connection, uri: str, tellers: TaskGroup) -> None:
        """Have a change told; a client that does not read holds nobody up but itself."""
        self.untold[uri] = None
        if not self.is_being_told:
            self.is_being_told = True
            tellers.start_soon(self._tell, connection)

    async def _tell(self, connection: Connection) -> None:
        while self.untold:
            uri = next(iter(self.untold))
            del self.untold[uri]
            await connection.notify("notifications/resources/updated", {"uri": uri})
        self.is_being_told = False


@dataclass(slots=True)
class _Watched:
    """Who watches one project: streams of the modern era by the bus, connections of the older one by their URIs."""

    bus: _Bus = field(default_factory=_Bus)
    listen: ListenHandler = field(init=False)
    connections: WeakKeyDictionary[Connection, _Watcher] = field(default_factory=WeakKeyDictionary)

    def __post_init__(self) -> None:
        self.listen = ListenHandler(self.bus, max_subscriptions=STREAMS_PER_PROJECT)

    def watcher(self, connection: Connection) -> _Watcher:
        """Return what a connection watches; it is forgotten when the connection ends."""
        if connection not in self.connections:
            self.connections[connection] = _Watcher()
            connection.exit_stack.callback(self.connections.pop, connection, None)
        return self.connections[connection]

    def who_watches(self, uri: str) -> list[tuple[Connection, _Watcher]]:
        """Return the connections of the older era that watch a resource."""
        return [(connection, watcher) for connection, watcher in self.connections.items() if uri in watcher.uris]


class Changes:
    """Follows the events and passes them on. One per server; `run` beside it."""

    def __init__(self) -> None:
        self._watched: dict[int | None, _Watched] = {}
        self._last = 0
        self._arriving = 0
        self._is_following = False
        self._wake = anyio.Event()

    def _of(self, project_id: int | None) -> _Watched:
        return self._watched.setdefault(project_id, _Watched())

    async def listen(
        self,
        context: ServerRequestContext[Any, Any],
        params: mcp_types.SubscriptionsListenRequestParams,
        project_id: int | None,
    ) -> mcp_types.SubscriptionsListenResult:
        """Serve a stream of changes until its client leaves. Without resources it belongs to no project."""
        if project_id is not None:
            await self._follow()
        return await self._of(project_id).listen(context, params)

    async def subscribe(self, connection: Connection, uri: str, project_id: int) -> bool:
        """Remember that a client of the older era watches a resource; False where it watches too many."""
        await self._follow()
        uris = self._of(project_id).watcher(connection).uris
        if len(uris) >= WATCHED_PER_CLIENT and uri not in uris:
            return False
        uris.add(uri)
        return True

    def unsubscribe(self, connection: Connection, uri: str) -> None:
        """Forget it again."""
        for watched in self._watched.values():
            if watcher := watched.connections.get(connection):
                watcher.uris.discard(uri)

    async def run(self) -> None:
        """Follow the events for ever, while somebody watches."""
        async with anyio.create_task_group() as tellers:
            while True:
                await self._wake.wait()
                while self._is_watched():
                    await anyio.sleep(POLL_SECONDS)
                    await self._pass_on(tellers)
                self._is_following, self._wake = False, anyio.Event()

    async def _follow(self) -> None:
        """Begin to follow before a watcher is told that it watches, so that nothing after that is missed."""
        self._arriving += 1
        try:
            if not self._is_following:
                last = await self._ask(feed.last_id, self._last)
                if not self._is_following:  # nobody else was faster, who must not miss what came after it
                    self._last, self._is_following = last, True
                    self._wake.set()
        finally:
            self._arriving -= 1  # nothing else runs between this and the caller's own note of who watches

    def _is_watched(self) -> bool:
        """Whether anybody is there; a stream that has gone takes itself off the bus."""
        return bool(self._arriving) or any(
            watched.bus.listeners or any(watcher.uris for watcher in watched.connections.values())
            for project_id, watched in self._watched.items()
            if project_id is not None
        )

    async def _pass_on(self, tellers: TaskGroup) -> None:
        for event_id, project_id, uris in await self._ask(lambda: _news_after(self._last), []):
            self._last = event_id
            if watched := self._watched.get(project_id):
                for uri in uris:
                    await watched.bus.publish(ResourceUpdated(uri=uri))
                    for connection, watcher in watched.who_watches(uri):
                        watcher.note(connection, uri, tellers)

    async def _ask(self, question: Any, otherwise: Any) -> Any:
        """Ask the database; where it does not answer, the next round asks again."""

        def ask() -> Any:
            close_old_connections()
            try:
                return question()
            except DatabaseError:
                logger.exception("The events could not be read; watchers hear of them later.")
                return otherwise
            finally:
                close_old_connections()

        return await run_sync(ask)


def _news_after(event_id: int) -> list[tuple[int, int, list[str]]]:
    rows = Event.objects.filter(id__gt=event_id, id__lte=feed.last_id()).order_by("id")[:BATCH]
    columns = ("id", "project_id", "task__public_id", "task__parent__public_id", "task__root__public_id", "after")
    return [(key, project, list(_uris(ids, after))) for key, project, *ids, after in rows.values_list(*columns)]


def _uris(task_ids: Iterable[str | None], after: dict[str, Any]) -> Iterable[str]:
    """Name what an event changes: the task, what is reported of the tasks above it, its work, and the overview."""
    yield from dict.fromkeys(f"task://{each}" for each in task_ids if each)
    if artifact := after.get("artifact_id"):
        yield f"artifact://{artifact}"
    yield "project://status"
