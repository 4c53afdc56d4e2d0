"""Read a JSON body whole, within what it may cost, before anything parses it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import anyio
from anyio.to_thread import run_sync

from orchestrator_site.asgi.streamed_body import STALLED_SECONDS, Receive
from orchestrator_site.kernel import bodies
from orchestrator_site.kernel.errors import OrchestratorError, TooLarge, Transient

BODY_SECONDS = 120.0
"""How long a whole body may take to arrive."""
_POLL_SECONDS = 0.05
_AT_ONCE_BYTES = 64 * 1024
"""What is checked without a thread."""


class BodyError(Exception):
    """The body is not taken: the HTTP status, and the error."""

    def __init__(self, status: int, error: OrchestratorError) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error


@asynccontextmanager
async def whole_body(receive: Receive, headers: Any) -> AsyncIterator[Receive]:
    """Yield a `receive` that returns a checked body at once; a large one holds one of few places. Raises BodyError."""
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > bodies.LARGE_BODY:
        raise _too_large(bodies.Excess(f"more than {bodies.LARGE_BODY:,} bytes", limit_bytes=bodies.LARGE_BODY))
    with ExitStack() as places:
        try:
            left = [await _read(receive, places)]
        except TimeoutError as error:
            raise BodyError(408, Transient("The body did not arrive in time.")) from error
        await _check(left[0])
        yield _replayed(left, receive)


async def _read(receive: Receive, places: ExitStack) -> bytes:
    """Raises TimeoutError, also where the client goes, and BodyError where it sends too much."""
    raw, is_whole, holds = bytearray(), False, False
    with anyio.fail_after(BODY_SECONDS):
        while not is_whole:
            if len(raw) > bodies.SMALL_BODY and not holds:
                await _take_place(places)
                holds = True
            is_whole = await _take(receive, raw)
    return bytes(raw)


async def _take_place(places: ExitStack) -> None:
    while not bodies.large.acquire(blocking=False):
        await anyio.sleep(_POLL_SECONDS)
    places.callback(bodies.large.release)


async def _take(receive: Receive, raw: bytearray) -> bool:
    """Append what arrives next; return whether it was the last."""
    with anyio.fail_after(STALLED_SECONDS):
        message = await receive()
    if message["type"] == "http.disconnect":
        raise TimeoutError
    raw += message.get("body", b"")
    if len(raw) > bodies.LARGE_BODY:
        raise _too_large(bodies.Excess(f"more than {bodies.LARGE_BODY:,} bytes", limit_bytes=bodies.LARGE_BODY))
    return not message.get("more_body", False)


async def _check(raw: bytes) -> None:
    try:
        if len(raw) <= _AT_ONCE_BYTES:
            bodies.check_cost(raw)
        else:
            await run_sync(_check_in_thread, raw)
    except bodies.Excess as excess:
        raise _too_large(excess) from excess


def _check_in_thread(raw: bytes) -> None:
    bodies.check_cost(raw)
    if len(raw) > bodies.SMALL_BODY:
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError):
            body = None
        bodies.check_size(raw, body)


def _too_large(excess: bodies.Excess) -> BodyError:
    return BodyError(413, TooLarge(f"The body has {excess}.", details=dict(excess.limit)))


def _replayed(left: list[bytes], receive: Receive) -> Receive:
    async def replay() -> Any:
        if not left:
            return await receive()
        return {"type": "http.request", "body": left.pop(), "more_body": False}

    return replay
