"""Serve the product's application, or the same with the fixtures in it, to a suite that cannot send an access token.

Each request gets a token that is made here, so that all checks of the product run. Says its address and serves until it
is told to stop: `python -m tests.conformance.serve product|fixtures`.
"""

from __future__ import annotations

import os
import sys

import uvicorn
from django.conf import settings
from starlette.types import ASGIApp, Receive, Scope, Send

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")

from maintenance.upgrades.ensure_schema import ensure_schema
from orchestrator_site import asgi
from orchestrator_site.accounts.owner import local_owner
from orchestrator_site.mcp.http import HttpBridge, caller_of
from orchestrator_site.mcp.mount import mounted
from orchestrator_site.mcp.server import load_doors
from orchestrator_site.tokens.service import create_token
from orchestrator_site.up.port import address_of, take_port
from tasks.services.projects import project_at
from tests.conformance.server import RETRY_MS, Events, FixtureServer


def main(what: str) -> None:
    """Serve until the end."""
    ensure_schema()
    application = with_token({"product": asgi.application, "fixtures": fixtures()}[what])
    listener = take_port("127.0.0.1", 0)
    print(address_of(listener), flush=True)
    config = uvicorn.Config(application, http="h11", log_config=None, access_log=False, timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


def fixtures() -> ASGIApp:
    """Return the product's application with what the suite asks for."""
    load_doors()
    bridge = HttpBridge(FixtureServer(caller_of, ("core",), None), event_store=Events(), retry_interval=RETRY_MS)
    return mounted(asgi.site, bridge)


def with_token(application: ASGIApp) -> ASGIApp:
    """Send a token along with every request, for a project that is there: nobody begins with initialize_session."""
    project = project_at(settings.ORCHESTRATOR_HOME)
    _, secret = create_token(owner=local_owner(), name="conformance", project=project)
    header = (b"authorization", f"Bearer {secret}".encode())

    async def with_header(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": [*scope["headers"], header]}
        await application(scope, receive, send)

    return with_header


if __name__ == "__main__":
    main(sys.argv[1])
