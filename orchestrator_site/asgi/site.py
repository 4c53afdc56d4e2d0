"""Django's ASGI application, with a limit on the bodies that it accepts."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from io import BytesIO
from typing import IO, Any

from django.conf import settings
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.http import HttpResponse
from django.template.loader import render_to_string

from orchestrator_site.asgi.database import in_thread
from orchestrator_site.asgi.shares import BODIES_PER_CREDENTIAL, READS_PER_CREDENTIAL, Turns
from orchestrator_site.asgi.streamed_body import STALLED_SECONDS, Receive, Send, StreamedBody
from orchestrator_site.asgi.whole_body import BODY_SECONDS, SLOWEST
from orchestrator_site.kernel.bodies import LARGE_BODY, UNKNOWN_BODY
from orchestrator_site.kernel.errors import OrchestratorError, TooLarge, Transient, Unavailable
from orchestrator_site.kernel.files import Fault
from orchestrator_site.kernel.identity import Principal, Scope
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

    def __init__(self, sender_of: Callable[[Any], Principal | None], credential_of: Callable[[Any], str]) -> None:
        """`sender_of` checks the credentials of a request, in a thread; `credential_of` only names them."""
        super().__init__()
        self._sender_of = sender_of
        self._bodies = Turns(BODIES_PER_CREDENTIAL)
        self._credential_of = credential_of
        self._turns = Turns(READS_PER_CREDENTIAL)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        credential = self._credential_of(scope) if scope["method"] in ("GET", "HEAD") else ""
        if not credential:
            await self._answer(scope, receive, send)
            return
        # A stream begins like any other read; once it has begun, the next may.
        async with self._turns.turn(credential) as end_turn:

            async def begun(message: Any) -> None:
                end_turn()
                await send(message)

            await self._answer(scope, receive, begun)

    async def _answer(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["method"] == "PATCH" and scope["path"].startswith(UPLOADS):
            body = StreamedBody(receive)  # the upload has a limit of its own
            await super().__call__(scope, body, body.closes_connection_after(send))
            return
        async with AsyncExitStack() as places:
            limited = _LimitedBody(receive, scope, self._sender_of, self._bodies, places)
            await super().__call__(scope, limited, send)
        if limited.refused is not None:
            await self.send_response(_rejection(scope, limited.refused), send)

    async def read_body(self, receive: Any) -> IO[bytes]:
        if isinstance(receive, StreamedBody):
            return receive  # type: ignore[return-value]  # a request only reads and closes the file
        body: IO[bytes] = await super().read_body(receive)
        return body


def body_limit(scope: Any, sender: Principal) -> int:
    """Return how many bytes a body may have: a delivery with every second character escaped, a plan, or a file.

    A file comes from a page, which takes no tokens.
    """
    limits: list[int] = [LARGE_BODY, 2 * settings.ORCHESTRATOR_MAX_DELIVERY_BYTES + LARGE_BODY // 16]
    may_write = not sender.token_id and Scope.WRITE in sender.scopes
    if may_write and scope["method"] == "POST" and _FILE_FORM.fullmatch(scope["path"]):
        limits.append(settings.ORCHESTRATOR_MAX_UPLOAD_BYTES + settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    return max(limits)


class _LimitedBody:
    """Counts the bytes of a body and their time; where it is refused Django sees a disconnected client.

    Then no view runs. More than UNKNOWN_BODY is taken only from callers, since it is held in memory or on the disk:
    few of each at once, until `places` ends.
    """

    def __init__(
        self,
        receive: Receive,
        scope: Any,
        sender_of: Callable[[Any], Principal | None],
        turns: Turns,
        places: AsyncExitStack,
    ) -> None:
        self.refused: OrchestratorError | None = None
        self._receive = receive
        self._scope = scope
        self._sender_of = sender_of
        self._turns = turns
        self._places = places
        self._limit = UNKNOWN_BODY
        self._received = 0
        self._has_ended = False
        self._ends_at = asyncio.get_running_loop().time() + BODY_SECONDS
        length = _header(scope, b"content-length")
        self._announced = int(length) if length.isdigit() else 0

    async def __call__(self) -> Any:
        if self._has_ended:
            return await self._receive()
        await self._require(self._announced)
        if self.refused is None:
            message = await self._next()
            self._received += len(message.get("body", b""))
            self._has_ended = not message.get("more_body", False)
            await self._require(self._received)
        return {"type": "http.disconnect"} if self.refused is not None else message

    async def _next(self) -> Any:
        left = self._ends_at - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(left, STALLED_SECONDS)):
                return await self._receive()
        except TimeoutError:
            self.refused = TooSlow("The body did not arrive in time.")
            return {}

    async def _require(self, size: int) -> None:
        if self.refused is None and size > self._limit:
            if self._limit == UNKNOWN_BODY:
                await self._admit()
            if size > self._limit:
                self.refused = _too_large(self._limit)

    async def _admit(self) -> None:
        """Take more from a caller, once it is its turn."""
        sender = await in_thread(lambda: self._sender_of(self._scope))
        if sender is None:
            return
        await self._places.enter_async_context(self._turns.turn(sender.token_id or f"user {sender.user_id}"))
        self._limit = body_limit(self._scope, sender)
        self._ends_at = asyncio.get_running_loop().time() + BODY_SECONDS + self._limit / SLOWEST
        self.refused = _without_room(self._announced or self._limit)


def _header(scope: Any, name: bytes) -> bytes:
    value: bytes = next((value for each, value in scope["headers"] if each == name), b"")
    return value


class TooSlow(Transient):
    status = 408


def _too_large(limit: int) -> TooLarge:
    without = " without valid credentials" if limit == UNKNOWN_BODY else ""
    return TooLarge(f"The body has more than {limit:,} bytes{without}.", details={"limit_bytes": limit})


def _without_room(size: int) -> Unavailable | None:
    """Return an error if the disk has no space for a body that is not held in memory, and for a file in it."""
    if size <= settings.FILE_UPLOAD_MAX_MEMORY_SIZE:
        return None
    if shutil.disk_usage(tempfile.gettempdir()).free >= 2 * size + settings.ORCHESTRATOR_KEEP_FREE_BYTES:
        return None
    return Unavailable("The server's disk for temporary files is nearly full.", next=Fault.FULL.cure)


def _rejection(scope: Any, error: OrchestratorError) -> HttpResponse:
    if scope["path"].startswith("/api/"):
        response = understood(error).response(ASGIRequest(scope, BytesIO()))
    else:
        shown = {"limit": error.details.get("limit_bytes"), "error": error}
        page = "503.html" if error.status == Unavailable.status else "413.html"
        response = HttpResponse(render_to_string(page, shown), status=error.status)
    for name, value in {**_HEADERS, "Content-Length": str(len(response.content))}.items():
        response[name] = value
    return response
