"""The product's application, alone and with the fixtures of the suite.

The suite cannot send an access token, so one is added to each request, and all checks of the product still run.
"""

from __future__ import annotations

from django.conf import settings
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator_site import application
from orchestrator_site.accounts.owner import local_owner
from orchestrator_site.mcp.http import HttpBridge, caller_of
from orchestrator_site.mcp.server import load_tools
from orchestrator_site.mount import mounted
from orchestrator_site.tokens.service import create_token
from tasks.services.projects import project_at
from tests.conformance.server import RETRY_MS, Events, FixtureServer


def _with_fixtures() -> ASGIApp:
    load_tools()
    bridge = HttpBridge(FixtureServer(caller_of, ("core",), None), event_store=Events(), retry_interval=RETRY_MS)
    return mounted(application.site, bridge)


def _with_token(application: ASGIApp, secret: str) -> ASGIApp:
    header = (b"authorization", f"Bearer {secret}".encode())

    async def with_header(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": [*scope["headers"], header]}
        await application(scope, receive, send)

    return with_header


# For an existing project: the suite does not call initialize_session.
_project = project_at(settings.ORCHESTRATOR_HOME)
_, _secret = create_token(owner=local_owner(), name="conformance", project=_project)

product = _with_token(application.application, _secret)
fixtures = _with_token(_with_fixtures(), _secret)
