"""The product's application, and the same with the fixtures in it, for a suite that cannot send an access token.

Each request gets a token that is made here, so that all checks of the product run.
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


# For a project that is there: the suite does not begin with initialize_session.
_project = project_at(settings.ORCHESTRATOR_HOME)
_, _secret = create_token(owner=local_owner(), name="conformance", project=_project)

product = _with_token(application.application, _secret)
fixtures = _with_token(_with_fixtures(), _secret)
