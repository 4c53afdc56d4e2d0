"""Request ids of their own for the requests of a session over HTTP.

The SDK finds the stream of an answer by the id of its request. Some clients give every request the same id, and some
give up on a request and use its id again; either would get another request's answer.
"""

from __future__ import annotations

import json
import re
import secrets
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

from anyio.to_thread import run_sync
from starlette.types import Message, Receive, Send

from orchestrator_site.asgi.whole_body import BodyError
from orchestrator_site.kernel.errors import Invalid

Key = tuple[str, str]
"""The credential and the session that a request names."""


_LARGE_BYTES = 64 * 1024
_REMEMBERED = 10_000
_WHOLE = re.compile(rb'("(?:id|requestId)"\s*:\s*-?\d+)\.0+(?=\s*[,}])')
"""Not within a string, where the quotes would be escaped."""
_OURS = re.compile(rb'"id":"([0-9a-f]{64})"')


class RequestIds:
    def __init__(self) -> None:
        self._running: defaultdict[Key, dict[str, str]] = defaultdict(dict)
        self._issued: OrderedDict[str, str] = OrderedDict()
        """The client's id for each of ours, also after its stream was closed: another one may bring the answer."""

    @asynccontextmanager
    async def replaced(self, key: Key, receive: Receive, send: Send) -> AsyncIterator[tuple[str, Receive, Send]]:
        """Give a request an id that no other has, and its answer the client's; `receive` returns a whole body at once.

        Also yields the method of the request, empty for what is none. Raises BodyError for an id that is no id: the SDK
        would take such a request for a notification and never answer it.
        """
        message = await receive()
        raw = message.get("body", b"")
        sent = await _off_loop(raw, _message_in, raw)
        method = sent.get("method") if isinstance(sent.get("method"), str) else ""
        if method == "notifications/cancelled":
            self._name_cancelled(key, sent)
            yield method, replay({**message, "body": json.dumps(sent).encode()}, receive), send
        elif method and type(sent.get("id")) in (int, str):
            theirs, ours = json.dumps(sent["id"]), secrets.token_hex()
            changed = await _off_loop(raw, json.dumps, {**sent, "id": ours})
            with self._known_as(key, theirs, ours):
                yield method, replay({**message, "body": changed.encode()}, receive), self.as_sent(send)
        elif method and "id" in sent:
            raise BodyError(400, Invalid("id: must be a string or an integer."))
        else:
            yield method, replay(message, receive), send

    def as_sent(self, send: Send) -> Send:
        """Return a `send` that puts the client's ids into answers."""

        def theirs(match: re.Match[bytes]) -> bytes:
            known = self._issued.get(match[1].decode())
            return match[0] if known is None else b'"id":' + known.encode()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":  # the ids differ in length
                headers = [header for header in message["headers"] if header[0] != b"content-length"]
                message = {**message, "headers": headers}
            elif message.get("body"):
                message = {**message, "body": _OURS.sub(theirs, message["body"])}
            await send(message)

        return answer

    @contextmanager
    def _known_as(self, key: Key, theirs: str, ours: str) -> Iterator[None]:
        self._running[key][theirs] = ours
        self._issued[ours] = theirs
        if len(self._issued) > _REMEMBERED:
            self._issued.popitem(last=False)
        try:
            yield
        finally:
            if self._running[key].get(theirs) == ours:
                del self._running[key][theirs]
            if not self._running[key]:
                del self._running[key]

    def _name_cancelled(self, key: Key, sent: dict[str, Any]) -> None:
        params = sent.get("params")
        if isinstance(params, dict) and key in self._running:
            theirs = params.get("requestId")
            params["requestId"] = self._running[key].get(json.dumps(theirs), theirs)


def with_whole_ids(receive: Receive) -> Receive:
    """Return a `receive` for bodies in which an id like 1.0 is the integer that it is in JSON Schema."""

    async def read() -> Message:
        message = await receive()
        raw = message.get("body", b"")
        return {**message, "body": await _off_loop(raw, partial(_WHOLE.sub, rb"\1"), raw)} if raw else message

    return read


async def _off_loop(raw: bytes, function: Callable[..., Any], argument: Any) -> Any:
    """Do what is slow for a large body in a thread."""
    return await run_sync(function, argument) if len(raw) > _LARGE_BYTES else function(argument)


def _message_in(raw: bytes) -> dict[str, Any]:
    """Return the message of a body; empty for what is none, which the SDK rejects."""
    try:
        sent = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return sent if isinstance(sent, dict) else {}


def replay(message: Message, receive: Callable[[], Awaitable[Any]]) -> Receive:
    """Return a `receive` that begins with a message."""
    left = [message]

    async def replayed() -> Message:
        return left.pop() if left else await receive()

    return replayed
