"""Django's ASGI application, with a limit on the bodies that it accepts."""

from __future__ import annotations

import re
from io import BytesIO
from typing import IO, Any

from django.conf import settings
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.http import HttpResponse
from django.template.loader import render_to_string

from orchestrator_site.asgi.streamed_body import Receive, Send, StreamedBody
from orchestrator_site.kernel.bodies import LARGE_BODY
from orchestrator_site.kernel.errors import TooLarge
from orchestrator_site.rest.problems import understood

UPLOADS = "/api/v1/uploads/"
_FILE_FORM = re.compile(r"/tasks/[^/]+/complete/")
_HEADERS = {
    "Connection": "close",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
"""Django's middleware does not see a request that is too large, so these are set here."""


class Site(ASGIHandler):
    """Refuses bodies above the limit before Django writes them to disk, and streams the parts of uploads."""

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["method"] == "PATCH" and scope["path"].startswith(UPLOADS):
            body = StreamedBody(receive)  # the upload has a limit of its own
            await super().__call__(scope, body, body.closes_connection_after(send))
            return
        limit = body_limit(scope)
        limited = _LimitedBody(receive, limit, scope["headers"])
        await super().__call__(scope, limited, send)
        if limited.is_too_large:
            await self.send_response(_too_large(scope, limit), send)

    async def read_body(self, receive: Any) -> IO[bytes]:
        if isinstance(receive, StreamedBody):
            return receive  # type: ignore[return-value]  # a request only reads and closes the file
        body: IO[bytes] = await super().read_body(receive)
        return body


def body_limit(scope: Any) -> int:
    """Return how many bytes a body may have: a delivery with every second character escaped, a plan, or a file."""
    limits: list[int] = [LARGE_BODY, 2 * settings.ORCHESTRATOR_MAX_DELIVERY_BYTES + LARGE_BODY // 16]
    if scope["method"] == "POST" and _FILE_FORM.fullmatch(scope["path"]):
        limits.append(settings.ORCHESTRATOR_MAX_UPLOAD_BYTES + settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    return max(limits)


class _LimitedBody:
    """Counts the bytes of a body; above the limit Django sees a disconnected client, so no view runs."""

    def __init__(self, receive: Receive, limit: int, headers: list[tuple[bytes, bytes]]) -> None:
        length = next((value for name, value in headers if name == b"content-length"), b"")
        self.is_too_large = length.isdigit() and int(length) > limit
        self._receive = receive
        self._left = limit

    async def __call__(self) -> Any:
        if not self.is_too_large:
            message = await self._receive()
            self._left -= len(message.get("body", b""))
            self.is_too_large = self._left < 0
        return {"type": "http.disconnect"} if self.is_too_large else message


def _too_large(scope: Any, limit: int) -> HttpResponse:
    if scope["path"].startswith("/api/"):
        error = TooLarge(f"The body has more than {limit:,} bytes.", details={"limit_bytes": limit})
        response = understood(error).response(ASGIRequest(scope, BytesIO()))
    else:
        response = HttpResponse(render_to_string("413.html", {"limit": limit}), status=TooLarge.status)
    for name, value in {**_HEADERS, "Content-Length": str(len(response.content))}.items():
        response[name] = value
    return response
