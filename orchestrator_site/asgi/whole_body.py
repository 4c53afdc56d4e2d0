"""Read a JSON body whole, within what it may cost, before anything parses it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from math import inf
from typing import Any

import anyio
from anyio.to_thread import run_sync

from orchestrator_site.asgi.shares import LARGE_PER_CREDENTIAL, Turns
from orchestrator_site.asgi.streamed_body import STALLED_SECONDS, Receive
from orchestrator_site.kernel import bodies
from orchestrator_site.kernel.errors import Invalid, OrchestratorError, TooLarge, Transient

BODY_SECONDS = 120.0
"""How long a whole body may take to arrive."""
SLOWEST = 256 * 1024
"""Bytes a second that a large body has to arrive with."""
BEHIND_SECONDS = 20.0
"""How far a body that holds one of few places may be behind that."""
_POLL_SECONDS = 0.05
_AT_ONCE_BYTES = 64 * 1024
"""What is checked without a thread."""

turns = Turns(LARGE_PER_CREDENTIAL)


class BodyError(Exception):
    """The body is not taken: the HTTP status, and the error."""

    def __init__(self, status: int, error: OrchestratorError) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error


@asynccontextmanager
async def whole_body(receive: Receive, headers: Any, credential: str) -> AsyncIterator[Receive]:
    """Yield a `receive` that returns a checked body at once; a large one holds one of few places. Raises BodyError.

    A credential holds one place at most, so that none keeps the others waiting.
    """
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > bodies.LARGE_BODY:
        raise _too_large(bodies.Excess(f"more than {bodies.LARGE_BODY:,} bytes", limit_bytes=bodies.LARGE_BODY))
    async with AsyncExitStack() as places:
        try:
            left = [await _read(receive, places, credential)]
        except TimeoutError as error:
            raise BodyError(408, Transient("The body did not arrive in time.")) from error
        await _check(left[0])
        yield _replayed(left, receive)


async def _read(receive: Receive, places: AsyncExitStack, credential: str) -> bytes:
    """Raises TimeoutError, also where the client goes, and BodyError where it sends too much."""
    raw, is_whole, began = bytearray(), False, inf
    with anyio.fail_after(BODY_SECONDS):
        while not is_whole:
            if len(raw) > bodies.SMALL_BODY and began == inf:
                await _take_place(places, credential)
                began = anyio.current_time() - len(raw) / SLOWEST
            due = began + BEHIND_SECONDS + len(raw) / SLOWEST
            is_whole = await _take(receive, raw, due)
    return bytes(raw)


async def _take_place(places: AsyncExitStack, credential: str) -> None:
    await places.enter_async_context(turns.turn(credential))
    while not bodies.large.acquire(blocking=False):
        await anyio.sleep(_POLL_SECONDS)
    places.callback(bodies.large.release)


async def _take(receive: Receive, raw: bytearray, due: float) -> bool:
    """Append what arrives next, before a time of the loop; return whether it was the last."""
    with anyio.fail_after(min(STALLED_SECONDS, due - anyio.current_time())):
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
    except bodies.NotUtf8 as error:
        raise BodyError(400, Invalid(f"The body is not JSON in UTF-8: {error}.")) from error


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
