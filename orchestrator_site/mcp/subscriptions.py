"""Notify clients that watch a resource when it changes, whichever process changed it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import anyio
import mcp_types
from anyio.abc import TaskGroup
from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated

from orchestrator_site.asgi.event_hub import EventHub
from tasks.models import Event

WATCHED_PER_CLIENT = 100
"""How many resources one client may watch; more than a person could follow."""
STREAMS_PER_PROJECT = 256


@dataclass(slots=True)
class _Watcher:
    """What a legacy connection watches, and which changes it has not been notified of yet."""

    uris: set[str] = field(default_factory=set)
    changed: dict[str, None] = field(default_factory=dict)
    is_notifying: bool = False

    def note(self, connection: Connection, uri: str, notifiers: TaskGroup) -> None:
        """Queue a notification; a client that does not read delays only itself."""
        self.changed[uri] = None
        if not self.is_notifying:
            self.is_notifying = True
            notifiers.start_soon(self._notify, connection)

    async def _notify(self, connection: Connection) -> None:
        while self.changed:
            uri = next(iter(self.changed))
            del self.changed[uri]
            await connection.notify("notifications/resources/updated", {"uri": uri})
        self.is_notifying = False


class _Watched:
    """Who watches one project: modern streams through the bus, legacy connections by URI."""

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
        self.listen = ListenHandler(self.bus, max_subscriptions=STREAMS_PER_PROJECT)
        self.connections: WeakKeyDictionary[Connection, _Watcher] = WeakKeyDictionary()


class Subscriptions:
    """The watchers of one server, who follow its event hub. Run `run` beside the server."""

    def __init__(self, hub: EventHub[Event]) -> None:
        self._hub = hub
        self._watched: dict[int | None, _Watched] = {}
        hub.listeners.append(self._publish)

    def of(self, project_id: int | None) -> _Watched:
        """Return who watches a project; None is for streams that watch no resources."""
        return self._watched.setdefault(project_id, _Watched())

    async def listen(
        self,
        context: ServerRequestContext[Any, Any],
        params: mcp_types.SubscriptionsListenRequestParams,
        project_id: int | None,
    ) -> mcp_types.SubscriptionsListenResult:
        if project_id is None:
            return await self.of(None).listen(context, params)
        async with self._hub.followed():
            return await self.of(project_id).listen(context, params)

    async def subscribe(self, connection: Connection, uri: str, project_id: int) -> bool:
        """Watch a resource for a legacy client; return False if it watches too many."""
        await self._hub.follow()  # first, so that no change is missed once the client knows that it watches
        uris = self._watcher(connection, project_id).uris
        if uri in uris or len(uris) >= WATCHED_PER_CLIENT:
            self._hub.unfollow()
            return uri in uris
        uris.add(uri)
        return True

    def unsubscribe(self, connection: Connection, uri: str) -> None:
        for watched in self._watched.values():
            watcher = watched.connections.get(connection)
            if watcher and uri in watcher.uris:
                watcher.uris.remove(uri)
                self._hub.unfollow()

    async def run(self) -> None:
        """Follow the events and notify legacy clients, until cancelled."""
        async with anyio.create_task_group() as self._notifiers:
            await self._hub.run()

    def _watcher(self, connection: Connection, project_id: int) -> _Watcher:
        connections = self.of(project_id).connections
        if connection not in connections:
            connections[connection] = _Watcher()
            connection.exit_stack.callback(self._forget, connection, project_id)
        return connections[connection]

    def _forget(self, connection: Connection, project_id: int) -> None:
        for _ in self.of(project_id).connections.pop(connection).uris:
            self._hub.unfollow()

    async def _publish(self, events: list[Event]) -> None:
        for event in events:
            if watched := self._watched.get(event.project_id):
                for uri in _uris(event):
                    await watched.bus.publish(ResourceUpdated(uri=uri))
                    for connection, watcher in list(watched.connections.items()):
                        if uri in watcher.uris:
                            watcher.note(connection, uri, self._notifiers)


def _uris(event: Event) -> Iterable[str]:
    """Return what an event changes: the task and those above it, the artifact, and the overview."""
    if task := event.task:
        affected = task, task.parent, task.root
        yield from dict.fromkeys(f"task://{each.public_id}" for each in affected if each)
    if artifact := event.after.get("artifact_id"):
        yield f"artifact://{artifact}"
    yield "project://status"
