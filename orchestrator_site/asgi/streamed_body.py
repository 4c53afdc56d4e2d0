"""Request bodies that are read while they arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

STALLED_SECONDS = 60.0
"""How long a client may send nothing in the middle of a body."""
UNREAD_LIMIT = 4 * 1024 * 1024
UNREAD_SECONDS = 2.0


class StreamedBody:
    """The body of one request as a file that its view reads from a thread; also the `receive` of the request."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._ended = asyncio.Event()
        self._is_broken = False
        self._prefetch: asyncio.Task[None] | None = None

    async def __call__(self) -> Any:
        """Return what follows the body: the end of the connection."""
        await self._ended.wait()
        return await self._receive()

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, fewer only at the end or if the connection broke, and prefetch as many.

        Raises OSError if the connection broke and there are no more.
        """
        return asyncio.run_coroutine_threadsafe(self._read(size), self._loop).result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._discard)

    def closes_connection_after(self, send: Send) -> Send:
        """Wrap `send` so that a response closes the connection if its client would go on sending."""

        async def send_response(message: Any) -> None:
            if message["type"] == "http.response.start" and not await self._drain():
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        return send_response

    async def _read(self, size: int) -> bytes:
        await (self._prefetch or self._fill(size))
        if self._is_broken and not self._buffer:
            raise OSError("The connection broke in the middle of the body.")
        with memoryview(self._buffer) as buffer:
            data = bytes(buffer[:size])
        del self._buffer[:size]
        self._prefetch = self._loop.create_task(self._fill(size))
        return data

    async def _fill(self, size: int) -> None:
        while len(self._buffer) < size and not self._ended.is_set() and not self._is_broken:
            await self._take_message(STALLED_SECONDS)

    async def _take_message(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):  # wait_for would start a task for each message
                message = await self._receive()
        except TimeoutError:
            message = {"type": "http.disconnect"}
        if message["type"] == "http.disconnect":
            self._is_broken = True
            return
        self._buffer += message.get("body", b"")
        if not message.get("more_body", False):
            self._ended.set()

    async def _drain(self) -> bool:
        """Discard a limited rest, since many clients read an error only once they have sent all; return if it ended."""
        if self._prefetch is not None:
            self._prefetch.cancel()
            await asyncio.wait([self._prefetch])
        discarded = 0
        while discarded < UNREAD_LIMIT and not self._ended.is_set() and not self._is_broken:
            await self._take_message(UNREAD_SECONDS)
            discarded += len(self._buffer)
            self._buffer.clear()
        return self._ended.is_set()

    def _discard(self) -> None:
        if self._prefetch is not None:
            self._prefetch.cancel()
        self._buffer.clear()
