"""The MCP server and the site in one ASGI application."""

from __future__ import annotations

from django.conf import settings
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator_site.asgi import event_hub
from orchestrator_site.mcp.http import PATH, HttpBridge, caller_of, say_where
from orchestrator_site.mcp.server import build_server

OLD_PATHS = ("/sse", "/sse/")
"""Where clients look for the transport before Streamable HTTP."""


def mounted(site: ASGIApp, bridge: HttpBridge | None = None) -> ASGIApp:
    """Return an application that serves MCP at `/mcp` and the site everywhere else."""
    bridge = bridge or HttpBridge(build_server(caller_for=caller_of, toolsets=settings.ORCHESTRATOR_TOOLSETS))

    router = Router(lifespan=lambda _: bridge.run())  # Django's own application has no lifespan

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": [(name, _plain(name, value)) for name, value in scope["headers"]]}
        if scope["type"] == "lifespan":
            await router(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] in (PATH, f"{PATH}/"):
            await bridge({**scope, "path": PATH}, receive, send)
        elif scope["type"] == "http" and (scope["path"].startswith(f"{PATH}/") or scope["path"] in OLD_PATHS):
            await say_where(send)
        else:
            await site({**scope, event_hub.SCOPE_KEY: bridge.events}, receive, send)

    return application


def _plain(name: bytes, value: bytes) -> bytes:
    """Remove blanks behind a value, which the server leaves there, and the case of a media type (RFC 9110, 8.3.1)."""
    kind, semicolon, parameters = value.rstrip(b" \t").partition(b";")
    return (kind.lower() if name == b"content-type" else kind) + semicolon + parameters
