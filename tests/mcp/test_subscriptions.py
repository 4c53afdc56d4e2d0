"""Watchers are notified of every change, whatever other clients do."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from mcp.server.connection import Connection

from orchestrator_site.asgi import event_hub
from orchestrator_site.asgi.event_hub import EventHub
from orchestrator_site.mcp.subscriptions import Subscriptions
from tasks.models import Event, Task
from tasks.selectors import feed
from tests.factories import make_event, make_project, make_task
from tests.mcp.stdio_client import DEADLINE_SECONDS

PROJECT = 1
TASK = "task://task_1"


class Client:
    """The client's end of a connection of the older era; a deaf one never takes what it is sent."""

    def __init__(self, *, is_deaf: bool = False) -> None:
        self.connection = Connection.for_loop(self)  # type: ignore[arg-type]  # only its notify is used
        self._is_deaf = is_deaf
        self.heard: list[str] = []

    async def notify(self, method: str, params: dict[str, Any], opts: Any = None) -> None:
        if self._is_deaf:
            await anyio.sleep_forever()
        self.heard.append(params["uri"])


class Events:
    """Events in place of the database, all of one task of one project."""

    def __init__(self) -> None:
        self.last = 0
        self.reads = 0

    def last_id(self) -> int:
        return self.last

    def read_after(self, event_id: int) -> list[Event]:
        self.reads += 1
        task = Task(public_id="task_1")
        return [Event(pk=pk, project_id=PROJECT, task=task, after={}) for pk in range(event_id + 1, self.last + 1)]


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Events:
    monkeypatch.setattr(event_hub, "POLL_SECONDS", 0.01)
    return Events()


def watching(events: Events, story: Callable[[Subscriptions], Awaitable[None]]) -> EventHub[Event]:
    """Run a story beside the hub; it has to end in time."""
    hub: EventHub[Event] = EventHub(events)

    async def run() -> None:
        with anyio.fail_after(DEADLINE_SECONDS):
            async with anyio.create_task_group() as tasks:
                subscriptions = Subscriptions(hub)
                tasks.start_soon(subscriptions.run)
                await story(subscriptions)
                tasks.cancel_scope.cancel()

    anyio.run(run)
    return hub


async def until(question: Callable[[], Any]) -> None:
    while not question():
        await anyio.sleep(0.005)


def test_a_client_that_does_not_read_delays_no_other(events: Events) -> None:
    async def story(subscriptions: Subscriptions) -> None:
        deaf, reader = Client(is_deaf=True), Client()
        for client in (deaf, reader):
            assert await subscriptions.subscribe(client.connection, TASK, PROJECT)
        for number in (1, 2):
            events.last += 1
            await until(lambda number=number: len(reader.heard) == number)

    watching(events, story)


@pytest.mark.parametrize("leave", ["disconnect", "unsubscribe"])
def test_polling_stops_when_the_last_watcher_leaves(events: Events, leave: str) -> None:
    async def story(subscriptions: Subscriptions) -> None:
        client = Client()
        for _ in range(2):  # the second time changes nothing
            assert await subscriptions.subscribe(client.connection, TASK, PROJECT)
        await until(lambda: events.reads)
        if leave == "disconnect":
            await client.connection.exit_stack.aclose()
        else:
            subscriptions.unsubscribe(client.connection, TASK)
        await until(lambda: not subscriptions._hub._is_polling)

    assert watching(events, story)._followers == 0


def test_a_second_watcher_takes_no_change_from_the_first(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, may_answer = threading.Event(), threading.Event()
    last_id = events.last_id

    def slow_last_id() -> int:
        asked.set()
        assert may_answer.wait(DEADLINE_SECONDS)
        return events.last

    async def story(subscriptions: Subscriptions) -> None:
        first, second = Client(), Client()
        async with anyio.create_task_group() as tasks:
            monkeypatch.setattr(events, "last_id", slow_last_id)
            tasks.start_soon(subscriptions.subscribe, second.connection, TASK, PROJECT)
            await until(asked.is_set)
            monkeypatch.setattr(events, "last_id", last_id)
            await subscriptions.subscribe(first.connection, TASK, PROJECT)
            events.last += 1  # the first client knows that it watches
            may_answer.set()
        await until(lambda: first.heard)

    monkeypatch.setattr(event_hub, "POLL_SECONDS", 0.2)
    watching(events, story)


@pytest.mark.django_db
def test_an_event_waits_for_lower_ids_that_may_still_appear(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction of PostgreSQL that ends late adds an id that is lower than one that can be read already."""
    task = make_task(make_project())
    first, second = (make_event(task).pk for _ in range(2))
    monkeypatch.setattr(feed, "last_id", lambda: first)
    assert [event.pk for event in feed.read_after(first - 1)] == [first]
    monkeypatch.setattr(feed, "last_id", lambda: second)
    assert [event.pk for event in feed.read_after(first)] == [second]
