"""MCP over Streamable HTTP: our access checks in front of the SDK's transport."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import anyio
from django.conf import settings
from django.db import DatabaseError
from django.http.request import split_domain_port, validate_host
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.mcpserver import Context
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from orchestrator_site.asgi.database import in_thread
from orchestrator_site.asgi.whole_body import BodyError, whole_body
from orchestrator_site.kernel.bodies import LARGE_BODY
from orchestrator_site.kernel.db_errors import error_for
from orchestrator_site.kernel.errors import Transient
from orchestrator_site.kernel.identity import Principal
from orchestrator_site.kernel.text import line_safe
from orchestrator_site.mcp.http_sessions import SESSION_HEADER, Sessions, connection_of
from orchestrator_site.mcp.metering import LAST_FLUSH_SECONDS
from orchestrator_site.mcp.request_ids import RequestIds, with_whole_ids
from orchestrator_site.mcp.server import Bridge
from orchestrator_site.tokens.bearer import TokenError, authenticate, bearer_of, recent_principal
from orchestrator_site.up.serving import SiteServing, own_supervisor
from tasks.services import sessions
from tasks.services.caller import Caller

logger = logging.getLogger(__name__)

PATH = "/mcp"
VERSION_HEADER = "mcp-protocol-version"
PRINCIPAL = "orchestrator.principal"
"""Where the ASGI scope of a request holds its principal."""
MAX_SESSIONS = 1000
SESSION_IDLE_SECONDS = 30 * 60.0
STREAM_CHECK_SECONDS = 30.0
"""How long a stream may outlive the token that opened it."""
SERVER_CHECK_SECONDS = 0.25
AUTH_THREADS = 2
ORIGIN_SHOWN = 200


class HttpBridge:
    """An ASGI application for one path; it serves while `run` is entered, which is possible once."""

    def __init__(
        self,
        bridge: Bridge,
        *,
        max_sessions: int = MAX_SESSIONS,
        idle_seconds: float = SESSION_IDLE_SECONDS,
        stream_check_seconds: float = STREAM_CHECK_SECONDS,
        **options: Any,
    ) -> None:
        """Further options go to the SDK's session manager."""
        self.events = bridge.events
        self.bridge = bridge
        self._stream_check_seconds = stream_check_seconds
        self._manager = Sessions(
            bridge.lowlevel,
            max_sessions=max_sessions,
            session_idle_timeout=idle_seconds,
            max_request_body_size=LARGE_BODY,
            **options,
        )
        self._ids = RequestIds()
        self._threads = anyio.CapacityLimiter(AUTH_THREADS)
        self._streams: set[anyio.CancelScope] = set()

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        meter = self.bridge.meter
        async with self._manager.run(), anyio.create_task_group() as tasks:
            tasks.start_soon(self.bridge.subscriptions.run)
            tasks.start_soon(meter.run)
            tasks.start_soon(self._end_streams)
            yield
            tasks.cancel_scope.cancel()
        with anyio.move_on_after(LAST_FLUSH_SECONDS, shield=True):
            await in_thread(meter.flush, abandon_on_cancel=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check host, origin and token before any of the body is read."""
        headers = Headers(scope=scope)
        if problem := _address_error(headers, scope["scheme"]):
            await _send_error(send, *problem)
            return
        try:
            principal = await self._principal(scope, headers)
        except TokenError as error:
            await _send_error(send, error.status, "forbidden", error.message, error.headers)
            return
        except DatabaseError as error:
            logger.exception("An access token could not be checked.")
            shown = error_for(error) or Transient("The database is not available.")
            await _send_error(send, 503, shown.code, f"{shown.message} {shown.next}", {"Retry-After": "1"})
            return
        # The transport serves a session only to the credential that opened it.
        credential = AccessToken(token="", client_id=principal.token_id, scopes=[], subject=str(principal.user_id))
        scope = {**scope, PRINCIPAL: principal, "user": AuthenticatedUser(credential)}
        if scope["method"] == "DELETE":
            await self._delete_session(scope, receive, send)
            return
        try:
            async with (
                self._body(scope, receive, headers) as body,
                self._own_request(scope, headers, body, send) as (scope, body, answer),
            ):
                response = _Response(answer)
                async with self._until_token_ends(scope, headers):
                    await self._manager.handle_request(scope, body, response)
                await response.end()
        except Transient as refused:  # too many streams
            await _send_error(send, refused.status, refused.code, refused.message, {"Retry-After": "10"})
        except BodyError as refused:
            why, more = refused.error, {"Connection": "close"}
            await _send_error(send, refused.status, why.code, why.message, more, details=why.details)

    @asynccontextmanager
    async def _body(self, scope: Scope, receive: Receive, headers: Headers) -> AsyncIterator[Receive]:
        if scope["method"] != "POST":
            yield receive
            return
        async with whole_body(receive, headers, scope[PRINCIPAL].token_id) as body:
            yield with_whole_ids(body)

    @asynccontextmanager
    async def _own_request(
        self, scope: Scope, headers: Headers, receive: Receive, send: Send
    ) -> AsyncIterator[tuple[Scope, Receive, Send]]:
        """Keep the requests of a session apart, and let a greeting open a new one whatever session it names."""
        session_id = headers.get(SESSION_HEADER)
        has_streams = headers.get(VERSION_HEADER) in (None, *HANDSHAKE_PROTOCOL_VERSIONS)
        if session_id is None or not has_streams:  # only requests of a session share them
            yield scope, receive, send
            return
        if scope["method"] != "POST":  # a stream that a client opens again brings answers too
            yield scope, receive, self._ids.as_sent(send)
            return
        key = scope[PRINCIPAL].token_id, session_id
        async with self._ids.replaced(key, receive, send) as (method, own_receive, own_send):
            if method == "initialize":  # clients keep the id of a session that ended with an earlier server
                others = [(name, value) for name, value in scope["headers"] if name != SESSION_HEADER.encode()]
                scope = {**scope, "headers": others}
            yield scope, own_receive, own_send

    async def _principal(self, scope: Scope, headers: Headers) -> Principal:
        address = (scope.get("client") or ("",))[0]
        secret = bearer_of(headers.get("authorization", ""))
        if (principal := recent_principal(secret)) is not None:
            return principal
        return await in_thread(lambda: authenticate(secret, address=address), limiter=self._threads)

    @asynccontextmanager
    async def _until_token_ends(self, scope: Scope, headers: Headers) -> AsyncIterator[None]:
        """End a stream with its token; other requests are too short for that to matter."""
        if scope["method"] != "GET" and headers.get("mcp-method") != "subscriptions/listen":
            yield
            return
        with self.events.shares.share(scope[PRINCIPAL].token_id):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._end_with_token, scope, headers, tasks.cancel_scope)
                self._streams.add(tasks.cancel_scope)
                try:
                    yield
                finally:
                    self._streams.discard(tasks.cancel_scope)
                tasks.cancel_scope.cancel()

    async def _end_streams(self) -> None:
        """End all streams whole when the server stops; their clients open them again."""
        while not self.events.is_over:
            await anyio.sleep(SERVER_CHECK_SECONDS)
        for stream in list(self._streams):
            stream.cancel()

    async def _end_with_token(self, scope: Scope, headers: Headers, stream: anyio.CancelScope) -> None:
        while True:
            await anyio.sleep(self._stream_check_seconds)
            try:
                await self._principal(scope, headers)
            except TokenError:
                stream.cancel()
                return
            except DatabaseError:
                logger.exception("The access token of a stream could not be checked; it is checked again later.")

    async def _delete_session(self, scope: Scope, receive: Receive, send: Send) -> None:
        held: list[Message] = []

        async def hold(message: Message) -> None:
            held.append(message)

        response = _Response(hold)
        await self._manager.handle_request(scope, receive, response)
        if response.status < 300:
            connection_id = connection_of(Headers(scope=scope)[SESSION_HEADER])
            try:
                await in_thread(lambda: sessions.end_connection(connection_id), limiter=self._threads)
            except DatabaseError:
                logger.exception("The sessions of a connection could not be ended; their leases will expire.")
        for message in held:
            await send(message)


def caller_of(context: Context[Any, Any]) -> Caller:
    """Return who sent a request: the token's principal, on its connection if the protocol version has connections.

    The transport has matched such a connection with the token that opened it. In later versions nothing has checked
    a header of that name, so it is ignored. The agent of a run is in the session of its run, which holds its task,
    whatever connections it opens.
    """
    inner = context.request_context
    request: Request = context.request_context.request  # type: ignore[assignment]  # there is one over HTTP
    principal: Principal = request.scope[PRINCIPAL]
    has_connections = inner.protocol_version in HANDSHAKE_PROTOCOL_VERSIONS and principal.task_id is None
    session_id = request.headers.get(SESSION_HEADER) if has_connections else None
    caller = Caller(principal, connection_id=connection_of(session_id) if session_id else "")
    if (supervisor := own_supervisor()) is not None:
        caller.serving = SiteServing(supervisor, lambda: _in_flight(context))
    if (params := context.session.client_params) is not None:
        caller.client_name, caller.client_version = params.client_info.name, params.client_info.version
    return caller


def _in_flight(context: Context[Any, Any]) -> int:
    return context.mcp_server.in_flight if isinstance(context.mcp_server, Bridge) else 0


def _address_error(headers: Headers, scheme: str) -> tuple[int, str, str] | None:
    """Return an error for requests from pages of other sites, also by DNS rebinding (MCP 2026-07-28, Transports)."""
    if len(headers.getlist("host")) > 1:  # the HTTP parser lets them through
        return 400, "invalid", "Host: must be sent once."
    host = headers.get("host", "")
    name, _ = split_domain_port(host)
    if not name or not validate_host(name, settings.ALLOWED_HOSTS):
        return 421, "invalid", "Host: not an allowed host; see ORCHESTRATOR_ALLOWED_HOSTS."
    origin = headers.get("origin")
    if origin and origin != f"{scheme}://{host}" and origin not in settings.CSRF_TRUSTED_ORIGINS:
        value = origin[:ORIGIN_SHOWN] if "://" in origin else "scheme://host"  # pages without an origin send null
        return 403, "forbidden", f"Origin: another site; to allow it, add {value} to ORCHESTRATOR_TRUSTED_ORIGINS."
    return None


async def say_where(send: Send) -> None:
    """Answer a client that has another address, such as that of the old transport."""
    await _send_error(send, 404, "not_found", f"There is no MCP endpoint here: it is {PATH}, by Streamable HTTP.")


async def _send_error(
    send: Send,
    status: int,
    code: str,
    message: str,
    headers: dict[str, str] | None = None,
    *,
    details: dict[str, Any] | None = None,
) -> None:
    data = {"code": code, "message": message, **({"details": details} if details else {})}
    error = {"code": -32600, "message": message, "data": data}
    body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()
    sent = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


class _Response:
    """Passes the transport's response on, but turns its plain-text errors into JSON-RPC errors."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_plain_error = False
        self._is_stream = False
        self._is_open = False
        self._allowed: dict[str, str] = {}
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = Headers(raw=list(message["headers"]))
            self._is_plain_error = self.status >= 400 and "json" not in headers.get("content-type", "")
            self._allowed = {"allow": headers["allow"]} if "allow" in headers else {}
            self._is_stream = headers.get("content-type", "").startswith("text/event-stream")
        if self._is_stream and "body" in message:
            message = {**message, "body": line_safe(message["body"])}
        if not self._is_plain_error:
            self._is_open = message["type"] == "http.response.start" or message.get("more_body", False)
            await self._send(message)
        elif message["type"] == "http.response.body":
            text = message.get("body", b"").decode(errors="replace") or f"{HTTPStatus(self.status).phrase}."
            code = "too_large" if self.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else "invalid"
            await _send_error(self._send, self.status, code, text, self._allowed)

    async def end(self) -> None:
        if self._is_open:
            await self({"type": "http.response.body", "body": b""})
