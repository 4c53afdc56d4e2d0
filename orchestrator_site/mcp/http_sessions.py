"""The sessions of the older protocol versions over HTTP, with a share for each credential.

The id of a session holds what its client said in the handshake, signed. So a session goes on in another server process,
after a restart or a crash, and after it was idle or had to give way: the handshake is made again, unseen by the client.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any

import anyio
from django.core import signing
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, AuthorizationContext, authorization_context
from mcp.server.streamable_http import StreamableHTTPServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from orchestrator_site.mcp.request_ids import replay

SESSION_HEADER = "mcp-session-id"
SESSIONS_PER_CREDENTIAL = 50
LONGEST_ID = 4096
"""Proxies accept no headers of any length; the session of a client that says more does not go on."""
ENDED_REMEMBERED = 10_000
_SAID = ("protocolVersion", "capabilities", "clientInfo")
_MARK = "."


def connection_of(session_id: str) -> str:
    """Return the part of a session's id that names its connection in the database."""
    return f"mcp:{session_id.partition(_MARK)[0]}"


class Sessions(StreamableHTTPSessionManager):
    """Ends the session that a credential has not used for longest when it opens one beyond its share."""

    def __init__(self, *args: Any, per_credential: int = SESSIONS_PER_CREDENTIAL, **options: Any) -> None:
        super().__init__(*args, **options)
        self._per_credential = per_credential
        self._running: dict[str, int] = {}
        """Requests of each session; the one that was used last comes last."""
        self._resuming = anyio.Lock()
        self._ended: OrderedDict[str, None] = OrderedDict()
        """Those that their clients have ended."""

    async def _handle_stateful_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        session_id = Headers(scope=scope).get(SESSION_HEADER)
        if session_id and session_id not in self._server_instances:
            await self._resume(session_id, scope)
        if session_id not in self._server_instances:
            await super()._handle_stateful_request(scope, receive, send)
            return
        self._running[session_id] = self._running.pop(session_id, 0) + 1
        try:
            await super()._handle_stateful_request(scope, receive, send)
        finally:
            if session_id in self._running:
                self._running[session_id] -= 1
            elif scope["method"] == "DELETE":
                self._remember_end(session_id)

    # The share of a credential

    def _admit_session(self, requestor: AuthorizationContext | None) -> StreamableHTTPServerTransport | None:
        own = [key for key, owner in self._session_owners.items() if owner == requestor]
        if len(own) >= self._per_credential and not self._end_oldest_idle(own):
            return None
        admitted = super()._admit_session(requestor)
        if admitted is not None and admitted.mcp_session_id is not None:
            self._running[admitted.mcp_session_id] = 1  # what opens it, so that it does not give way before
        return admitted

    def _end_oldest_idle(self, own: list[str]) -> bool:
        oldest = next((key for key, running in self._running.items() if not running and key in own), None)
        if oldest is None:
            return False
        transport = self._server_instances.pop(oldest)
        tasks: Any = self._task_group  # sessions are admitted while it runs
        tasks.start_soon(self._discard_session, oldest, transport)
        return True

    async def _discard_session(self, session_id: str, transport: StreamableHTTPServerTransport) -> None:
        session_id = transport.mcp_session_id or session_id  # it may have been renamed
        self._running.pop(session_id, None)
        await super()._discard_session(session_id, transport)

    # Sessions that go on

    async def _serve_opening_request(
        self, http_transport: StreamableHTTPServerTransport, scope: Scope, receive: Receive, send: Send
    ) -> None:
        message = await receive()  # a whole body
        if handshake := _handshake_in(message.get("body", b"")):
            sealed = _sealed(str(http_transport.mcp_session_id), handshake, _owner(scope))
            if len(sealed) <= LONGEST_ID:
                self._rename(http_transport, sealed)
        await super()._serve_opening_request(http_transport, scope, replay(message, receive), send)
        self._note_opened(http_transport)

    async def _resume(self, session_id: str, scope: Scope) -> None:
        """Open a session again as its client did, where it was opened with this credential and not ended by it."""
        handshake = None if session_id in self._ended else _unsealed(session_id, _owner(scope))
        if handshake is None:
            return
        async with self._resuming:  # another request may do it at the same time
            if session_id in self._server_instances:
                return
            transport = self._admit_session(_owner(scope))
            if transport is None:
                return
            greeting = _post({"id": 0, "method": "initialize", "params": handshake})
            await super()._serve_opening_request(transport, *greeting)
            if transport.mcp_session_id in self._server_instances:  # the handshake was accepted
                greeted = _post({"method": "notifications/initialized"}, transport.mcp_session_id)
                await transport.handle_request(*greeted)
                self._rename(transport, session_id)
                self._note_opened(transport)

    def _note_opened(self, transport: StreamableHTTPServerTransport) -> None:
        if transport.mcp_session_id in self._running:  # the handshake was accepted
            self._running[transport.mcp_session_id] -= 1

    def _rename(self, transport: StreamableHTTPServerTransport, session_id: str) -> None:
        before, transport.mcp_session_id = str(transport.mcp_session_id), session_id
        self._server_instances[session_id] = self._server_instances.pop(before)
        self._running[session_id] = self._running.pop(before)
        if before in self._session_owners:
            self._session_owners[session_id] = self._session_owners.pop(before)

    def _remember_end(self, session_id: str) -> None:
        self._ended[session_id] = None
        if len(self._ended) > ENDED_REMEMBERED:
            self._ended.popitem(last=False)


def _owner(scope: Scope) -> AuthorizationContext | None:
    user = scope.get("user")
    return authorization_context(user) if isinstance(user, AuthenticatedUser) else None


def _handshake_in(body: bytes) -> dict[str, Any] | None:
    """Return what a client says of itself in an `initialize`; None where the body is none."""
    try:
        said = json.loads(body)["params"]
        return {name: said[name] for name in _SAID}
    except (ValueError, KeyError, TypeError, RecursionError):
        return None  # the SDK refuses it


def _sealed(random_id: str, handshake: dict[str, Any], owner: AuthorizationContext | None) -> str:
    return random_id + _MARK + signing.dumps([random_id, handshake], salt=_salt(owner), compress=True)


def _unsealed(session_id: str, owner: AuthorizationContext | None) -> dict[str, Any] | None:
    """Return the handshake of a session that any process of this site has opened for a credential."""
    random_id, _, signed = session_id[:LONGEST_ID].partition(_MARK)
    try:
        sealed_id, handshake = signing.loads(signed, salt=_salt(owner))
    except signing.BadSignature:
        return None
    return handshake if sealed_id == random_id else None


def _salt(owner: AuthorizationContext | None) -> str:
    return f"{__name__}:{json.dumps(owner, sort_keys=True)}"


def _post(message: dict[str, Any], session_id: str = "") -> tuple[Scope, Receive, Send]:
    """Return the request of a client for a message, whose answer is not read."""
    headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    headers |= {SESSION_HEADER: session_id} if session_id else {}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()

    async def send(message: Message) -> None:
        """Read nothing."""

    receive = replay({"type": "http.request", "body": body, "more_body": False}, anyio.sleep_forever)
    return {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": raw}, receive, send
