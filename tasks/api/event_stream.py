"""Server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from functools import cache, partial
from io import BytesIO
from time import monotonic
from typing import Any

import anyio
from asgiref.sync import SyncToAsync
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.base import BaseHandler
from django.db import connections
from django.http import StreamingHttpResponse
from rest_framework import serializers

from orchestrator_site.asgi.event_hub import EventHub
from tasks.models import Event
from tasks.selectors import feed
from tasks.selectors.feed import Batch, EventFilter

STREAMS = 256
HEARTBEAT_SECONDS = 15.0
CHECK_SECONDS = 60.0
RETRY_MS = 2000
_REVOKED = (401, 403, 404, 429)


class EventShape(serializers.ModelSerializer[Event]):
    """One change: who (what the connection proved), what, to which task, and what it was before and after."""

    project = serializers.CharField(source="project.slug")
    task_id = serializers.CharField(source="task.public_id", allow_null=True, default=None)
    actor = serializers.CharField(source="actor_name")
    session_id = serializers.CharField(source="session.public_id", allow_null=True, default=None)
    before = serializers.DictField()
    after = serializers.DictField()

    class Meta:
        model = Event
        fields = (
            "id", "verb", "project", "task_id", "actor", "actor_kind", "session_id", "before", "after", "created_at",
        )  # fmt: skip


def opening(found: Batch) -> bytes:
    """Return the beginning of a stream: when to reconnect, what has happened, and where to continue."""
    # The last id comes after the events, so that a client cut off among them does not skip the rest.
    return b"retry: %d\n\n%bid: %d\n\n" % (RETRY_MS, b"".join(map(frame, found.events)), found.last_id)


class Stream(StreamingHttpResponse):
    """Holds one of the streams of a credential until it is closed. Raises Transient where all of them are held."""

    def __init__(self, hub: EventHub[Event], who: str, *args: Any, **options: Any) -> None:
        hub.shares.take(who)
        self._give_back: Callable[[], None] = partial(hub.shares.give_back, who)
        super().__init__(*args, **options)

    def close(self) -> None:
        super().close()
        self._give_back()
        self._give_back = lambda: None


async def follow(
    hub: EventHub[Event], wanted: EventFilter, found: Batch, scope: dict[str, Any]
) -> AsyncIterator[bytes]:
    """Stream events as they happen, with a heartbeat, until the server stops or the credentials are revoked."""
    hub.streams += 1
    try:
        release_thread()
        yield opening(found)
        async with hub.followed(), aclosing(_changes(hub, wanted, found.last_id, scope)) as changes:
            async for change in changes:
                yield change
    finally:
        hub.streams -= 1


async def _changes(
    hub: EventHub[Event], wanted: EventFilter, after: int, scope: dict[str, Any]
) -> AsyncGenerator[bytes, None]:
    check_at = monotonic() + CHECK_SECONDS
    while not hub.is_over:
        change = hub.change
        kept = hub.kept_since(after)
        if kept is None:
            events, after = await _earlier(hub, wanted, after)
        else:
            events, after = list(filter(wanted.matches, kept)), max(after, hub.last_id)
        if events:
            yield b"".join(map(frame, events))
        elif kept is not None:
            with anyio.move_on_after(HEARTBEAT_SECONDS) as wait:
                await change.wait()
            if wait.cancelled_caught:
                yield b": still here\n\n"
        if monotonic() >= check_at:
            if not await hub.ask(lambda: is_allowed(scope), default=True):
                return
            check_at = monotonic() + CHECK_SECONDS


async def _earlier(hub: EventHub[Event], wanted: EventFilter, after: int) -> tuple[list[Event], int]:
    found = await hub.ask(
        lambda: feed.batch(wanted, after=after, limit=feed.BATCH), default=Batch([], after, has_more=True)
    )
    return found.events, found.last_id


def release_thread() -> None:
    """Free the thread and the connection that Django reserves for a request until its response has ended."""
    context = SyncToAsync.thread_sensitive_context.get(None)
    executor = SyncToAsync.context_to_thread_executor.pop(context, None) if context else None
    if executor:
        executor.submit(connections.close_all)
        executor.shutdown(wait=False)


def is_allowed(scope: dict[str, Any]) -> bool:
    """Send the request through Django again, without its body, to check its credentials."""
    response = _handler().get_response(ASGIRequest({**scope, "method": "HEAD"}, BytesIO()))
    response.close()
    return response.status_code not in _REVOKED


@cache
def _handler() -> BaseHandler:
    handler = BaseHandler()
    handler.load_middleware()
    return handler


def frame(event: Event) -> bytes:
    attributes = vars(event)
    if "frame" not in attributes:  # once for all the streams that send it
        data = json.dumps(EventShape(event).data)
        attributes["frame"] = f"id: {event.pk}\nevent: changed\ndata: {data}\n\n".encode()
    made: bytes = attributes["frame"]
    return made
