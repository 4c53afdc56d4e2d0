"""The MCP server and the site in one ASGI application."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from django.conf import settings
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator_site.asgi import event_hub
from orchestrator_site.kernel.introduction import LISTENER
from orchestrator_site.mcp.http import PATH, HttpBridge, caller_of, say_where
from orchestrator_site.mcp.server import build_server
from orchestrator_site.mcp.stdio.resident import Resident

OLD_PATHS = ("/sse", "/sse/")
"""Where clients look for the transport before Streamable HTTP."""


def mounted(site: ASGIApp, bridge: HttpBridge | None = None) -> ASGIApp:
    """Return an application that serves MCP at `/mcp` and the site everywhere else."""
    bridge = bridge or HttpBridge(build_server(caller_for=caller_of, toolsets=settings.ORCHESTRATOR_TOOLSETS))

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": [(name, _plain(name, value)) for name, value in scope["headers"]]}
        if scope["type"] == "lifespan":  # Django's own application has none
            listener = scope.get("state", {}).get(LISTENER)
            await Router(lifespan=lambda _: _running(bridge, listener))(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] in (PATH, f"{PATH}/"):
            await bridge({**scope, "path": PATH}, receive, send)
        elif scope["type"] == "http" and (scope["path"].startswith(f"{PATH}/") or scope["path"] in OLD_PATHS):
            await say_where(send)
        else:
            await site({**scope, event_hub.SCOPE_KEY: bridge.events}, receive, send)

    return application


@asynccontextmanager
async def _running(bridge: HttpBridge, listener: socket.socket | None) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(bridge.run())
        if listener is not None:
            await stack.enter_async_context(Resident(bridge.bridge).run(listener))
        yield


def _plain(name: bytes, value: bytes) -> bytes:
    """Remove blanks behind a value, which the server leaves there, and the case of a media type (RFC 9110, 8.3.1)."""
    kind, semicolon, parameters = value.rstrip(b" \t").partition(b";")
    return (kind.lower() if name == b"content-type" else kind) + semicolon + parameters
