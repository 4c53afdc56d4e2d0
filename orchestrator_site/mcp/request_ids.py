"""Request ids of their own for the requests of a session over HTTP.

The SDK finds the stream of an answer by the id of its request. Some clients give every request the same id, and some
give up on a request and use its id again; either would get another request's answer.
"""

from __future__ import annotations

import json
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from starlette.types import Message, Receive, Send

Key = tuple[str, str]
"""The credential and the session that a request names."""


class RequestIds:
    def __init__(self) -> None:
        self._running: defaultdict[Key, dict[str, str]] = defaultdict(dict)

    @asynccontextmanager
    async def replaced(
        self, key: Key, receive: Receive, send: Send, *, most: int
    ) -> AsyncIterator[tuple[Receive, Send]]:
        """Give a request an id that no other has, and its answer the client's; a body above `most` stays as it is."""
        messages = await _arrived(receive, most)
        sent = _message_in(messages)
        if sent.get("method") == "notifications/cancelled":
            self._name_cancelled(key, sent)
            yield _replay(messages, sent, receive), send
        elif isinstance(sent.get("method"), str) and type(sent.get("id")) in (int, str):
            theirs, ours = json.dumps(sent["id"]), secrets.token_hex()
            with self._known_as(key, theirs, ours):
                yield _replay(messages, {**sent, "id": ours}, receive), _answer_as(theirs, ours, send)
        else:
            yield _replay(messages, None, receive), send

    @contextmanager
    def _known_as(self, key: Key, theirs: str, ours: str) -> Iterator[None]:
        self._running[key][theirs] = ours
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


async def _arrived(receive: Receive, most: int) -> list[Message]:
    messages: list[Message] = []
    size = 0
    while size <= most:
        messages.append(await receive())
        size += len(messages[-1].get("body", b""))
        if not messages[-1].get("more_body", False):
            break
    return messages


def _message_in(messages: list[Message]) -> dict[str, Any]:
    """Return the message of a whole body; empty for what is none, which the SDK rejects."""
    if messages[-1]["type"] != "http.request" or messages[-1].get("more_body", False):
        return {}
    try:
        sent = json.loads(b"".join(message["body"] for message in messages))
    except (ValueError, RecursionError):
        return {}
    return sent if isinstance(sent, dict) else {}


def _replay(messages: list[Message], changed: dict[str, Any] | None, receive: Receive) -> Receive:
    """Return a `receive` that begins with the changed message, or with what arrived."""
    if changed is not None:
        messages = [{"type": "http.request", "body": json.dumps(changed).encode(), "more_body": False}]

    async def replayed() -> Message:
        return messages.pop(0) if messages else await receive()

    return replayed


def _answer_as(theirs: str, ours: str, send: Send) -> Send:
    before, after = f'"id":"{ours}"'.encode(), f'"id":{theirs}'.encode()

    async def answer(message: Message) -> None:
        if before in message.get("body", b""):
            message = {**message, "body": message["body"].replace(before, after, 1)}
        await send(message)

    return answer
