"""The sessions of the older protocol versions over HTTP, with a share for each credential."""

from __future__ import annotations

from typing import Any

from mcp.server.auth.middleware.bearer_auth import AuthorizationContext
from mcp.server.streamable_http import StreamableHTTPServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

SESSION_HEADER = "mcp-session-id"
SESSIONS_PER_CREDENTIAL = 50


class Sessions(StreamableHTTPSessionManager):
    """Ends the session that a credential has not used for longest when it opens one beyond its share."""

    def __init__(self, *args: Any, per_credential: int = SESSIONS_PER_CREDENTIAL, **options: Any) -> None:
        super().__init__(*args, **options)
        self._per_credential = per_credential
        self._running: dict[str, int] = {}
        """Requests of each session; the one that was used last comes last."""

    async def _handle_stateful_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        session_id = Headers(scope=scope).get(SESSION_HEADER)
        if session_id not in self._server_instances:
            await super()._handle_stateful_request(scope, receive, send)
            return
        self._running[session_id] = self._running.pop(session_id, 0) + 1
        try:
            await super()._handle_stateful_request(scope, receive, send)
        finally:
            if session_id in self._running:
                self._running[session_id] -= 1

    def _admit_session(self, requestor: AuthorizationContext | None) -> StreamableHTTPServerTransport | None:
        own = [key for key, owner in self._session_owners.items() if owner == requestor]
        if len(own) >= self._per_credential and not self._end_oldest_idle(own):
            return None
        admitted = super()._admit_session(requestor)
        if admitted is not None and admitted.mcp_session_id is not None:
            self._running[admitted.mcp_session_id] = 0
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
        self._running.pop(session_id, None)
        await super()._discard_session(session_id, transport)
