"""The MCP server and the site in one ASGI application."""

from __future__ import annotations

from django.conf import settings
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator_site.asgi import event_hub
from orchestrator_site.mcp.http import PATH, HttpBridge, caller_of
from orchestrator_site.mcp.server import build_server


def mounted(site: ASGIApp, bridge: HttpBridge | None = None) -> ASGIApp:
    """Return an application that serves MCP at `/mcp` and the site everywhere else."""
    bridge = bridge or HttpBridge(build_server(caller_for=caller_of, toolsets=settings.ORCHESTRATOR_TOOLSETS))

    router = Router(lifespan=lambda _: bridge.run())  # Django's own application has no lifespan

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # Blanks behind a value are none of it, and the server leaves them there.
            scope = {**scope, "headers": [(name, value.rstrip(b" \t")) for name, value in scope["headers"]]}
        if scope["type"] == "lifespan":
            await router(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] in (PATH, f"{PATH}/"):
            await bridge({**scope, "path": PATH}, receive, send)
        else:
            await site({**scope, event_hub.SCOPE_KEY: bridge.events}, receive, send)

    return application
