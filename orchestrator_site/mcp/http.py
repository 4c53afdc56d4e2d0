"""The bridge over Streamable HTTP: who may come in, and then the SDK's transport for both eras of the protocol."""

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
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from orchestrator_site.asgi.database import in_thread
from orchestrator_site.kernel.identity import Principal
from orchestrator_site.mcp.server import Bridge
from orchestrator_site.mcp.stdio.framing import LINE_LIMIT
from orchestrator_site.tokens.bearer import Refused, authenticate, bearer_of, proved_recently
from tasks.identity.client import Caller
from tasks.services import sessions

logger = logging.getLogger(__name__)

PATH = "/mcp"
SESSION_HEADER = "mcp-session-id"
PRINCIPAL = "orchestrator.principal"
"""Where a request's scope holds who it proved to be."""
MAX_SESSIONS = 1000
SESSION_IDLE_SECONDS = 30 * 60.0
STREAM_CHECK_SECONDS = 30.0
"""How long a stream may outlive the token that opened it."""
AUTH_THREADS = 2


class HttpBridge:
    """An ASGI application for one address. It serves between the beginning and the end of `run`, once."""

    def __init__(
        self,
        bridge: Bridge,
        *,
        max_sessions: int = MAX_SESSIONS,
        idle_seconds: float = SESSION_IDLE_SECONDS,
        stream_check_seconds: float = STREAM_CHECK_SECONDS,
        **options: Any,
    ) -> None:
        """Take the SDK's further options for its session manager, such as an event store."""
        self.events = bridge.events
        self._bridge = bridge
        self._stream_check_seconds = stream_check_seconds
        self._manager = StreamableHTTPSessionManager(
            bridge.lowlevel,
            max_sessions=max_sessions,
            session_idle_timeout=idle_seconds,
            max_request_body_size=LINE_LIMIT,
            **options,
        )
        self._threads = anyio.CapacityLimiter(AUTH_THREADS)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Serve while the context is open."""
        meter = self._bridge.meter
        async with self._manager.run(), anyio.create_task_group() as tasks:
            tasks.start_soon(self._bridge.subscriptions.run)
            tasks.start_soon(meter.run)
            yield
            tasks.cancel_scope.cancel()
        await meter.flush_in_thread()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check host, origin and token, in this order, before anything of the body is read."""
        headers = Headers(scope=scope)
        if refusal := _wrong_address(headers, scope["scheme"]):
            await _refuse(send, *refusal)
            return
        try:
            principal = await self._principal(scope, headers)
        except Refused as refused:
            await _refuse(send, refused.status, "forbidden", refused.message, refused.headers)
            return
        except DatabaseError:
            logger.exception("The database did not answer for an access token.")
            await _refuse(send, 503, "transient", "The database does not answer; send it again.", {"Retry-After": "1"})
            return
        scope = _with_principal(scope, principal)
        if scope["method"] == "DELETE":
            await self._take_leave(scope, receive, send)
            return
        answer = _Answer(send)
        async with self._while_the_token_is_good(scope, headers):
            await self._manager.handle_request(scope, receive, answer)
        await answer.end()

    async def _principal(self, scope: Scope, headers: Headers) -> Principal:
        address = (scope.get("client") or ("",))[0]
        secret = bearer_of(headers.get("authorization", ""))
        if (principal := proved_recently(secret)) is not None:
            return principal
        return await in_thread(lambda: authenticate(secret, address=address), limiter=self._threads)

    @asynccontextmanager
    async def _while_the_token_is_good(self, scope: Scope, headers: Headers) -> AsyncIterator[None]:
        """End a stream with its token; any other request is over before that could matter."""
        if scope["method"] != "GET" and headers.get("mcp-method") != "subscriptions/listen":
            yield
            return
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._end_with_token, scope, headers, tasks.cancel_scope)
            yield
            tasks.cancel_scope.cancel()

    async def _end_with_token(self, scope: Scope, headers: Headers, stream: anyio.CancelScope) -> None:
        while True:
            await anyio.sleep(self._stream_check_seconds)
            try:
                await self._principal(scope, headers)
            except Refused:
                stream.cancel()
                return
            except DatabaseError:
                logger.exception("The database did not answer for the access token of a stream; it is asked again.")

    async def _take_leave(self, scope: Scope, receive: Receive, send: Send) -> None:
        """End a session, free what it held, and only then say so."""
        held: list[Message] = []

        async def hold(message: Message) -> None:
            held.append(message)

        answer = _Answer(hold)
        await self._manager.handle_request(scope, receive, answer)
        if answer.status < 300:
            await self._end_of_session(Headers(scope=scope)[SESSION_HEADER])
        for message in held:
            await send(message)

    async def _end_of_session(self, session_id: str) -> None:
        try:
            await in_thread(lambda: sessions.end_connection(f"mcp:{session_id}"), limiter=self._threads)
        except DatabaseError:
            logger.exception("The sessions of this connection stay open; their leases run out by themselves.")


def caller_of(context: Context[Any, Any]) -> Caller:
    """Return who sent a request: the token's principal, on the connection where the client's era has connections.

    Only what the transport has matched with the token that opened it counts as a connection; in the era without
    connections a header of that name is nothing but the client's word.
    """
    inner = context.request_context
    request: Request = context.request_context.request  # type: ignore[assignment]  # there is one over HTTP
    session_id = request.headers.get(SESSION_HEADER) if inner.protocol_version in HANDSHAKE_PROTOCOL_VERSIONS else None
    caller = Caller(request.scope[PRINCIPAL], connection_id=f"mcp:{session_id}" if session_id else "")
    if (params := context.session.client_params) is not None:
        caller.client_name, caller.client_version = params.client_info.name, params.client_info.version
    return caller


def _with_principal(scope: Scope, principal: Principal) -> Scope:
    """Tell the transport which credential this is, so that a session is served to the one that opened it alone."""
    token = AccessToken(token="", client_id=principal.token_id, scopes=[], subject=str(principal.user_id))
    return {**scope, PRINCIPAL: principal, "user": AuthenticatedUser(token)}


def _wrong_address(headers: Headers, scheme: str) -> tuple[int, str, str] | None:
    """Refuse what a page of another site could send here by rebinding a name (MCP 2026-07-28, Transports)."""
    host = headers.get("host", "")
    name, _ = split_domain_port(host)
    if not name or not validate_host(name, settings.ALLOWED_HOSTS):
        return 421, "invalid", "Host: this site is not served under that name; see ORCHESTRATOR_ALLOWED_HOSTS."
    origin = headers.get("origin")
    if origin and origin != f"{scheme}://{host}" and origin not in settings.CSRF_TRUSTED_ORIGINS:
        return 403, "forbidden", "Origin: pages of other sites may not call this one."
    return None


async def _refuse(send: Send, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
    body = _error(code, message)
    sent = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def _error(code: str, message: str) -> bytes:
    error = {"code": -32600, "message": message, "data": {"code": code, "message": message}}
    return json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()


class _Answer:
    """Passes the transport's answer on, saying its plain-text refusals as errors with a code."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_plain_refusal = False
        self._is_open = False
        self._allowed: dict[str, str] = {}
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = Headers(raw=list(message["headers"]))
            self._is_plain_refusal = self.status >= 400 and "json" not in headers.get("content-type", "")
            self._allowed = {"allow": headers["allow"]} if "allow" in headers else {}
        if not self._is_plain_refusal:
            self._is_open = message["type"] == "http.response.start" or message.get("more_body", False)
            await self._send(message)
        elif message["type"] == "http.response.body":
            text = message.get("body", b"").decode(errors="replace") or f"{HTTPStatus(self.status).phrase}."
            code = "too_large" if self.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else "invalid"
            await _refuse(self._send, self.status, code, text, self._allowed)

    async def end(self) -> None:
        """End an answer that was cut short."""
        if self._is_open:
            await self({"type": "http.response.body", "body": b""})
