"""A bound on the bodies of requests, before anything keeps them: Django writes a body down whole before it looks."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string

from orchestrator_site.asgi.streaming_body import Arriving, ending, is_read_as_it_arrives
from orchestrator_site.kernel.errors import TooLarge
from orchestrator_site.rest.parsers import LARGE_BODY
from orchestrator_site.rest.problems import MEDIA_TYPE, TITLES, TYPE

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

_WITH_A_FILE = re.compile(r"/tasks/[^/]+/complete/")
"""The form that takes in a whole file; what it is sent has the limit of an upload."""
_SAFE = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}
"""What Django says of every answer; no request that is refused here gets as far."""


def largest_body() -> int:
    """Return how many bytes the largest request may have: a delivery with every second character escaped, or a plan."""
    delivery: int = settings.ORCHESTRATOR_MAX_DELIVERY_BYTES
    return max(LARGE_BODY, 2 * delivery + LARGE_BODY // 16)


def body_limit(scope: Any) -> int:
    """Return how many bytes the body of a request may have."""
    if scope["method"] == "POST" and _WITH_A_FILE.fullmatch(scope["path"]):
        with_a_file: int = settings.ORCHESTRATOR_MAX_UPLOAD_BYTES + settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        return max(largest_body(), with_a_file)
    return largest_body()


def bounded(site: Any) -> Any:
    """Return an ASGI application that refuses larger bodies, told or streamed, with 413."""

    async def application(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await site(scope, receive, send)
            return
        if is_read_as_it_arrives(scope):  # nothing keeps it but the upload, which has a limit of its own
            arriving = Arriving(receive)
            await site(scope, arriving, ending(arriving, send))
            return
        limit = body_limit(scope)
        if _told_length(scope) > limit:
            await _refuse(scope, send, limit)
            return
        meter = _Meter(receive, limit)
        await site(scope, meter, send)
        if meter.is_over:
            await _refuse(scope, send, limit)

    return application


class _Meter:
    """Counts what arrives; once it is too much, the client is as good as gone and the site answers nothing."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._left = limit
        self.is_over = False

    async def __call__(self) -> Any:
        if self.is_over:
            return {"type": "http.disconnect"}
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        self.is_over = self._left < 0
        return {"type": "http.disconnect"} if self.is_over else message


def _told_length(scope: Any) -> int:
    told = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(told) if told.isdigit() else 0


async def _refuse(scope: Any, send: Send, limit: int) -> None:
    kind, body = _problem(limit) if scope["path"].startswith("/api/") else _page(limit)
    told = {"content-type": kind, "content-length": str(len(body)), "connection": "close", **_SAFE}
    headers = [(name.encode(), value.encode()) for name, value in told.items()]
    await send({"type": "http.response.start", "status": TooLarge.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _page(limit: int) -> tuple[str, bytes]:
    return "text/html; charset=utf-8", render_to_string("413.html", {"limit": limit}).encode()


def _problem(limit: int) -> tuple[str, bytes]:
    error = TooLarge(f"The body has more than {limit:,} bytes.")
    facts = {
        "type": f"{TYPE}{error.code}",
        "title": TITLES[error.code],
        "status": error.status,
        "detail": error.message,
        "code": error.code,
        "details": {"limit_bytes": limit},
    }
    return MEDIA_TYPE, json.dumps(facts).encode()
