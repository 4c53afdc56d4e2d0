"""docs/security.md lists every limit as the code has it."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

from artifacts.search import time_limit
from orchestrator_site.accounts import forms
from orchestrator_site.asgi import shares, site, streamed_body, whole_body
from orchestrator_site.kernel import bodies, limits
from orchestrator_site.mcp import http, http_sessions, server
from orchestrator_site.tokens import bearer
from orchestrator_site.up import http_protocol
from tasks.agents.services import start
from tasks.agents.tools import monitor
from tasks.api import event_stream
from tasks.services import projects

SECURITY = Path(__file__).resolve().parent.parent.parent / "docs" / "security.md"
MIB = 1024 * 1024


def mib(size: int) -> str:
    return f"{size // MIB:,} MiB"


LIMITS = {
    "JSON body or line": mib(bodies.SMALL_BODY),
    "of a plan, a completion, a part of an upload": mib(bodies.LARGE_BODY),
    "values in one": f"{bodies.VALUES_LIMIT:,}",
    "objects in one": f"{bodies.OBJECTS_LIMIT:,}",
    "levels in one": f"{bodies.DEPTH_LIMIT:,}",
    "string in one that is no text": f"{limits.STRING_LIMIT:,} characters",
    "text in one that is stored": f"{limits.TEXT_LIMIT:,} characters",
    "path of a folder": f"{projects.PATH_BYTES:,} bytes",
    "large ones at once": f"{bodies.LARGE_AT_ONCE}",
    "of one credential at once over `/mcp`": f"{shares.LARGE_PER_CREDENTIAL}",
    "time for one to arrive": f"{whole_body.BODY_SECONDS:g} s",
    "pause in one": f"{streamed_body.STALLED_SECONDS:g} s",
    "behind the pace of large ones over `/mcp`": f"{whole_body.BEHIND_SECONDS:g} s",
    "any body without credentials": f"{bodies.UNKNOWN_BODY // 1024} KiB",
    "larger ones of one credential at once, besides `/mcp`": f"{shares.BODIES_PER_CREDENTIAL}",
    "pace of a larger one": f"{site.SLOWEST // 1024} KiB/s",
    "time for the headers of a request": f"{http_protocol.HEADER_SECONDS:g} s",
    "pause in reading a response": f"{http_protocol.UNREAD_SECONDS:g} s",
    "headers of a request": f"{http_protocol.HEADER_BYTES // 1024} KiB in {http_protocol.HEADER_LINES}",
    "bytes of a body besides its payload": f"{http_protocol.HEADER_BYTES // 1024} KiB and as much as its payload",
    "open connections": f"{http_protocol.MOST_CONNECTIONS:,}",
    "artifact in one call": mib(settings.ORCHESTRATOR_MAX_DELIVERY_BYTES),
    "upload, also from a file": mib(settings.ORCHESTRATOR_MAX_UPLOAD_BYTES),
    "sessions of the bridge": f"{http.MAX_SESSIONS:,}",
    "sessions of one credential": f"{http_sessions.SESSIONS_PER_CREDENTIAL}",
    "event streams": f"{event_stream.STREAMS}",
    "streams of one credential": f"{shares.STREAMS_PER_CREDENTIAL}",
    "running calls of one credential": f"{shares.CALLS_PER_CREDENTIAL}",
    "reads of one access token, or browser session, that begin at once": f"{shares.READS_PER_CREDENTIAL}",
    "long calls at once": f"{server.LONG_CALL_THREADS}, each for {server.LONG_SECONDS:g} s",
    "wait for runs in one call": f"{monitor.WAIT_SECONDS} s",
    "runs that one call starts": f"{start.STARTED_AT_ONCE}",
    "time of a search": f"{time_limit.SEARCH_SECONDS:g} s",
    "invalid tokens of an address": f"{bearer.FAILURES} in {bearer.WINDOW_SECONDS:g} s",
    "wrong passwords of an address, and for a name": f"{forms.FAILURES} in {forms.WINDOW_SECONDS:g} s",
    "passwords checked at once": f"{forms.CHECKS_AT_ONCE}",
    "session of a person": f"{settings.SESSION_COOKIE_AGE // 86_400} days",
}


def test_the_table_of_limits_says_what_the_code_does() -> None:
    table = SECURITY.read_text("utf-8").partition("## Limits")[2]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| [^|]+ \|$", table, re.MULTILINE)[1:]
    assert [row for row in rows if not row[0].startswith("-")] == list(LIMITS.items())
