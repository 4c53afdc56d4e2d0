"""Bodies that are read while they arrive: Django would write an upload down whole before its view sees a byte."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import IO, Any

from django.core.handlers.asgi import ASGIHandler

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

UPLOADS = "/api/v1/uploads/"
STALLED_SECONDS = 60.0
"""How long a client may send nothing in the middle of a body."""
UNREAD_LIMIT = 4 * 1024 * 1024
UNREAD_SECONDS = 2.0


def is_read_as_it_arrives(scope: Any) -> bool:
    """Whether the body of a request is a part of an upload."""
    return bool(scope["method"] == "PATCH" and scope["path"].startswith(UPLOADS))


class Arriving:
    """The messages of one request. Its view reads the body as a file, from a thread; the event loop never waits.

    Called as `receive`, it tells of the end of the connection alone, and of that only after the body.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._has_ended = asyncio.Event()
        self._rest = bytearray()
        self._is_broken = False
        self._ahead: asyncio.Task[None] | None = None

    async def __call__(self) -> Any:
        await self._has_ended.wait()
        return await self._receive()

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, fewer only at the end or where the connection broke.

        While the caller works on them, as many more are taken in. Raises OSError where nothing more comes although the
        body has not ended.
        """
        return asyncio.run_coroutine_threadsafe(self._take(size), self._loop).result()

    def close(self) -> None:
        """Let go of what nobody read; called from any thread."""
        self._loop.call_soon_threadsafe(self._let_go)

    async def has_come_whole(self) -> bool:
        """Whether the body has ended, or ends soon: what a refusal leaves unread is thrown away up to a limit.

        A client that hears the refusal only after it has sent all would otherwise never hear it.
        """
        await self._stop_ahead()
        thrown_away = 0
        while thrown_away < UNREAD_LIMIT and not self._has_ended.is_set() and not self._is_broken:
            await self._wait_for_more(UNREAD_SECONDS)
            thrown_away += len(self._rest)
            self._rest.clear()
        return self._has_ended.is_set()

    async def _take(self, size: int) -> bytes:
        await (self._ahead or self._fill(size))
        if self._is_broken and not self._rest:
            raise OSError("The connection broke in the middle of the body.")
        with memoryview(self._rest) as rest:
            taken = bytes(rest[:size])
        del self._rest[:size]
        self._ahead = self._loop.create_task(self._fill(size))
        return taken

    async def _fill(self, size: int) -> None:
        while len(self._rest) < size and not self._has_ended.is_set() and not self._is_broken:
            await self._wait_for_more(STALLED_SECONDS)

    async def _stop_ahead(self) -> None:
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.wait([self._ahead])

    def _let_go(self) -> None:
        if self._ahead is not None:
            self._ahead.cancel()
        self._rest.clear()

    async def _wait_for_more(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):  # unlike wait_for, it starts no task for each message
                message = await self._receive()
        except TimeoutError:
            message = {"type": "http.disconnect"}
        if message["type"] == "http.disconnect":
            self._is_broken = True
            return
        self._rest += message.get("body", b"")
        if not message.get("more_body", False):
            self._has_ended.set()


def ending(arriving: Arriving, send: Send) -> Send:
    """Return a `send` that closes the connection behind an answer whose client would go on sending."""

    async def send_and_close(message: Any) -> None:
        if message["type"] == "http.response.start" and not await arriving.has_come_whole():
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await send(message)

    return send_and_close


class Site(ASGIHandler):
    """Django's own application, which hands such bodies to their views unread."""

    async def read_body(self, receive: Any) -> IO[bytes]:
        """Return the body as a file."""
        if isinstance(receive, Arriving):
            return receive  # type: ignore[return-value]  # all that a request asks of the file
        body: IO[bytes] = await super().read_body(receive)
        return body
