"""Whoever watches is told of every change, whatever others do."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from mcp.server.connection import Connection

from orchestrator_site.mcp import subscriptions
from orchestrator_site.mcp.subscriptions import Changes
from tasks.selectors import feed
from tests.factories import make_event, make_project, make_task
from tests.mcp.stdio_client import DEADLINE_SECONDS

PROJECT = 1
TASK = "task://task_1"


class Client:
    """The client's end of a connection of the older era; a deaf one never takes what it is sent."""

    def __init__(self, *, is_deaf: bool = False) -> None:
        self.connection = Connection.for_loop(self)  # type: ignore[arg-type]  # nobody asks it anything
        self._is_deaf = is_deaf
        self.heard: list[str] = []

    async def notify(self, method: str, params: dict[str, Any], opts: Any = None) -> None:
        if self._is_deaf:
            await anyio.sleep_forever()
        self.heard.append(params["uri"])


class Events:
    """The ids of events in place of the database, all of one task of one project."""

    def __init__(self) -> None:
        self.last = 0
        self.looks = 0

    def last_id(self) -> int:
        return self.last

    def after(self, event_id: int) -> list[tuple[int, int, list[str]]]:
        self.looks += 1
        return [(each, PROJECT, [TASK]) for each in range(event_id + 1, self.last + 1)]


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Events:
    events = Events()
    monkeypatch.setattr(subscriptions, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(subscriptions, "_news_after", events.after)
    monkeypatch.setattr(feed, "last_id", events.last_id)
    return events


def following(story: Callable[[Changes], Awaitable[None]]) -> None:
    """Run a story beside what follows the events; it has to come to its end in time."""

    async def run() -> None:
        with anyio.fail_after(DEADLINE_SECONDS):
            async with anyio.create_task_group() as tasks:
                told = Changes()
                tasks.start_soon(told.run)
                await story(told)
                tasks.cancel_scope.cancel()

    anyio.run(run)


async def until(question: Callable[[], Any]) -> None:
    while not question():
        await anyio.sleep(0.005)


def test_a_client_that_does_not_read_holds_nobody_else_up(events: Events) -> None:
    async def story(told: Changes) -> None:
        deaf, reader = Client(is_deaf=True), Client()
        for client in (deaf, reader):
            assert await told.subscribe(client.connection, TASK, PROJECT)
        for number in (1, 2):
            events.last += 1
            await until(lambda number=number: len(reader.heard) == number)

    following(story)


def test_nobody_is_watched_for_whose_connection_has_ended(events: Events) -> None:
    async def story(told: Changes) -> None:
        client = Client()
        await told.subscribe(client.connection, TASK, PROJECT)
        await until(lambda: events.looks)

        await client.connection.exit_stack.aclose()
        await anyio.sleep(0.05)
        looks = events.looks
        await anyio.sleep(0.1)

        assert events.looks == looks

    following(story)


def test_who_comes_second_takes_nothing_from_who_came_first(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, may_answer = threading.Event(), threading.Event()

    def slowly() -> int:
        asked.set()
        assert may_answer.wait(DEADLINE_SECONDS)
        return events.last

    async def story(told: Changes) -> None:
        first, second = Client(), Client()
        async with anyio.create_task_group() as tasks:
            monkeypatch.setattr(feed, "last_id", slowly)
            tasks.start_soon(told.subscribe, second.connection, TASK, PROJECT)
            await until(asked.is_set)
            monkeypatch.setattr(feed, "last_id", events.last_id)
            await told.subscribe(first.connection, TASK, PROJECT)
            events.last += 1  # the first one was told that it watches
            may_answer.set()
        await until(lambda: first.heard)

    monkeypatch.setattr(subscriptions, "POLL_SECONDS", 0.2)
    following(story)


@pytest.mark.django_db
def test_an_event_that_others_may_still_come_before_is_told_after_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction of PostgreSQL that ends late brings an id that is lower than one that can be read already."""
    task = make_task(make_project())
    first, second = (make_event(task).pk for _ in range(2))
    monkeypatch.setattr(feed, "last_id", lambda: first)
    assert [event_id for event_id, *_ in subscriptions._news_after(first - 1)] == [first]
    monkeypatch.setattr(feed, "last_id", lambda: second)
    assert [event_id for event_id, *_ in subscriptions._news_after(first)] == [second]
