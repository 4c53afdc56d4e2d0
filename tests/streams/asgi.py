"""An ASGI client that reads an answer while it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from django.core.asgi import get_asgi_application
from django.db import connections

from orchestrator_site.asgi.event_hub import SCOPE_KEY, EventHub
from tasks.api import event_stream
from tasks.models import Event
from tasks.selectors import feed

PATH = "/api/v1/events"
DEADLINE_SECONDS = 60


class Site:
    """Django's application with a hub, as the server mounts it."""

    def __init__(self) -> None:
        self.hub: EventHub[Event] = EventHub(feed)
        self._django = get_asgi_application()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await self._django({**scope, SCOPE_KEY: self.hub}, receive, send)


class Answer:
    """An answer, and what has come of its body."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.text = ""
        self.is_over = False
        self._news = anyio.Event()
        self._gone = anyio.Event()
        self._has_asked = False

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        else:
            self.text += message.get("body", b"").decode()
            self.is_over = not message.get("more_body", False)
        self._news.set()
        self._news = anyio.Event()

    async def receive(self) -> dict[str, Any]:
        if self._has_asked:
            await self._gone.wait()
            return {"type": "http.disconnect"}
        self._has_asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    def hang_up(self) -> None:
        self._gone.set()

    async def until(self, question: Callable[[], bool]) -> None:
        """Wait for something to be so; fail after a while."""
        with anyio.fail_after(DEADLINE_SECONDS):
            while not question():
                await self._news.wait()

    async def until_shown(self, text: str) -> None:
        await self.until(lambda: text in self.text)


@asynccontextmanager
async def asked(app: Site, secret: str, query: str = "", *, path: str = PATH, **headers: str) -> AsyncIterator[Answer]:
    """Follow the events, or another stream, as a client does, until the context ends."""
    named = {"host": "testserver", "accept": "text/event-stream", "authorization": f"Bearer {secret}", **headers}
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in named.items()]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "headers": raw, "root_path": "",
        "client": ("127.0.0.1", 1), "server": ("testserver", 80),
    }  # fmt: skip
    answer = Answer()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(app, scope, answer.receive, answer.send)
        await answer.until(lambda: answer.status != 0)
        yield answer
        answer.hang_up()


def run(body: Callable[[Site], Awaitable[None]], **limits: float) -> Site:
    """Run a test in an event loop, beside the hub, with other limits for streams; returns what it ran on."""
    app = Site()

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(app.hub.run)
            await body(app)
            tasks.cancel_scope.cancel()

    with pytest.MonkeyPatch.context() as patch:
        for name, value in limits.items():
            patch.setattr(event_stream, name, value)
        anyio.run(main)
    connections.close_all()
    return app


async def in_database(work: Callable[..., Any], *arguments: Any) -> Any:
    """Do what touches the database beside the event loop."""

    def done() -> Any:
        try:
            return work(*arguments)
        finally:
            connections.close_all()

    return await anyio.to_thread.run_sync(done)
