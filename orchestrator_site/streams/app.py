"""Carries a stream of events on where Django has begun it, in the event loop: without a thread or a connection each.

Django answers the request as any other: it checks who asks and for what, and writes what has happened so far. A header
of its answer says how that goes on. From there on a stream costs a place in a list and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import anyio
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator_site.streams.hub import Hub, Told
from tasks.api.events import FULL, STREAM_HEADER
from tasks.selectors.feed import Wanted

PATH = "/api/v1/events"
STREAMS = 256
HEARTBEAT_SECONDS = 15.0
CHECK_SECONDS = 60.0
_GONE = (401, 403, 404, 429)


class EventStreams:
    """An ASGI application in front of the site, for requests to one address. It serves while `run` is open."""

    def __init__(
        self,
        site: ASGIApp,
        *,
        streams: int = STREAMS,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        self._site = site
        self._hub = Hub()
        self._room = streams
        self._heartbeat = heartbeat_seconds
        self._check = check_seconds

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Serve while the context is open."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._hub.run)
            yield
            tasks.cancel_scope.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let Django answer, and go on where its answer is the beginning of a stream."""
        self._room -= 1
        try:
            begun = _Begun(send)
            await self._site(scope if self._room >= 0 else {**scope, FULL: True}, receive, begun)
            if begun.plan is not None:
                await self._go_on(scope, receive, send, begun.plan)
        finally:
            self._room += 1

    async def _go_on(self, scope: Scope, receive: Receive, send: Send, plan: dict[str, Any]) -> None:
        after = plan.pop("after")
        wanted = Wanted(**{**plan, "verbs": tuple(plan["verbs"])})
        async with anyio.create_task_group() as tasks, self._hub.followed():
            tasks.start_soon(_until_gone, receive, tasks.cancel_scope)
            await self._tell(scope, send, wanted, after)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            tasks.cancel_scope.cancel()

    async def _tell(self, scope: Scope, send: Send, wanted: Wanted, after: int) -> None:
        """Send events as they happen, and a sign of life where none do, until the end or the end of the credentials."""
        check_at = monotonic() + self._check
        while not self._hub.is_over:
            change = self._hub.change()
            frames, after, is_current = await self._news(wanted, after)
            if frames:
                await _send(send, frames)
            if is_current:
                with anyio.move_on_after(self._heartbeat) as wait:
                    await change.wait()
                if wait.cancelled_caught:
                    await _send(send, b": still here\n\n")
            if monotonic() >= check_at:
                if not await self._is_welcome(scope):
                    return
                check_at = monotonic() + self._check

    async def _news(self, wanted: Wanted, after: int) -> tuple[bytes, int, bool]:
        """Return what is to be sent after an event, the id to go on from, and whether that is all there is now."""
        kept = self._hub.kept_since(after)
        if kept is None:
            earlier, reached = await self._hub.earlier(wanted, after)
            return _joined(earlier), reached, False
        return _joined([told for told in kept if wanted.takes(told.event)]), max(after, self._hub.last_id), True

    async def _is_welcome(self, scope: Scope) -> bool:
        """Ask Django again whether these credentials may follow this; where it cannot tell, they may."""
        answer = _Status()
        await self._site({**scope, "method": "HEAD"}, _Nothing(), answer)
        return answer.status not in _GONE


class _Begun:
    """Passes Django's answer on. `plan` is how it goes on, where it is the beginning of a stream."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.plan: dict[str, Any] | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=[(name.lower(), value) for name, value in message["headers"]])
            if (plan := headers.get(STREAM_HEADER)) is not None:
                self.plan = json.loads(plan)
                del headers[STREAM_HEADER], headers["content-length"]
            message = {**message, "headers": headers.raw}
        elif self.plan is not None:
            message = {**message, "more_body": True}
        await self._send(message)


class _Status:
    """Looks at the status of an answer that goes nowhere."""

    status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]


class _Nothing:
    """The body of a request that has none, from a client that stays."""

    _is_read = False

    async def __call__(self) -> Message:
        if self._is_read:
            await anyio.sleep_forever()
        self._is_read = True
        return {"type": "http.request", "body": b"", "more_body": False}


async def _until_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


def _joined(told: list[Told]) -> bytes:
    return b"".join(each.frame for each in told)
