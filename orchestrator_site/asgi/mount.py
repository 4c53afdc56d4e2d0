"""The bridge and the site in one ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from django.conf import settings
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator_site.mcp.http import PATH, HttpBridge, caller_of
from orchestrator_site.mcp.server import build_server
from orchestrator_site.streams.app import PATH as EVENTS_PATH
from orchestrator_site.streams.app import EventStreams


def mounted(site: ASGIApp, bridge: HttpBridge | None = None) -> ASGIApp:
    """Return an application that serves the bridge at `/mcp`, and the site everywhere else.

    The bridge and the streams of events live as long as the server does: Django's own application knows nothing of a
    lifespan.
    """
    streams = EventStreams(site)
    bridge = bridge or HttpBridge(build_server(caller_for=caller_of, toolsets=settings.ORCHESTRATOR_TOOLSETS))

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        async with bridge.run(), streams.run():
            yield

    life = Router(lifespan=lifespan)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # Blanks behind a value are none of it, and the server leaves them there.
            scope = {**scope, "headers": [(name, value.rstrip(b" \t")) for name, value in scope["headers"]]}
        if scope["type"] == "lifespan":
            await life(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == PATH:
            await bridge(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == EVENTS_PATH:
            await streams(scope, receive, send)
        else:
            await site(scope, receive, send)

    return application
