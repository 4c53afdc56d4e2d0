"""The site, its worker, and both ways to the bridge, tried as assistants would."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from orchestrator_site.accounts.owner import local_owner
from orchestrator_site.connect.check import try_entry
from orchestrator_site.connect.clients import Place, Style
from orchestrator_site.connect.entries import http_entry, stdio_entry, this_installation
from orchestrator_site.connect.probe import NotConnected, ServerSummary
from orchestrator_site.doctor.findings import Finding, ok, problem, warning
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.tokens.service import create_token, revoke_token
from orchestrator_site.up.address import recall

TIMEOUT_SECONDS = 5.0
_BODY_LIMIT = 1024 * 1024
_START = "Start it: python manage.py up"


def is_running() -> bool:
    """Tell whether our site answers at the address where it was started last."""
    return _get("/healthz")[0] == 200


def site() -> Iterator[Finding]:
    """Ask the site how it is, and what it says of its worker and its queue."""
    status, body = _get("/healthz")
    address = recall()
    if status == 0:
        said = f"Nothing answers at {address}. Assistants that are connected by their command do not need it."
        yield warning("site", said, _START)
        return
    if status != 200 or body.get("status") != "ok":
        said = f"What answers at {address}/healthz is not our site ({status})."
        yield problem(
            "site", said, "End the other program, or start the site on another port: manage.py up --port 8001"
        )
        return
    yield ok("site", f"It answers at {address}.", address=address)
    checks = _get("/readyz")[1].get("checks")
    for name, check in (checks if isinstance(checks, dict) else {}).items():
        yield _readiness(name, check if isinstance(check, dict) else {})


def _readiness(name: str, check: dict[str, Any]) -> Finding:
    facts = {key: value for key, value in check.items() if key not in ("ok", "problem")}
    area = f"site: {name}"
    if check.get("ok"):
        counted = {key: value for key, value in facts.items() if not isinstance(value, bool)}
        told = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in counted.items())
        return ok(area, f"Well{f' ({told})' if told else ''}.", **facts)
    return problem(area, str(check.get("problem", "It is not well.")), "Look into the log of manage.py up.", **facts)


def stdio() -> Iterator[Finding]:
    """Start the bridge as an assistant would, on this data, and list its tools."""
    style = Style()
    entry = stdio_entry(this_installation(writes_secrets=True), style)
    yield _tried("bridge by command", entry, style, "Run it in a terminal: python manage.py mcp_serve")


def http() -> Iterator[Finding]:
    """Open the bridge of the running site with a token that lasts for this look only."""
    if not is_running():
        yield warning("bridge by address", "Not tried, since the site does not run.", _START)
        return
    style = Style()
    with _short_token() as secret:
        entry = http_entry(f"{recall().rstrip('/')}/mcp", secret, style)
        entry[style.headers].update(_host())
        yield _tried("bridge by address", entry, style, "Look into the log of manage.py up.")


def _tried(area: str, entry: dict[str, Any], style: Style, advice: str) -> Finding:
    try:
        seen = try_entry(entry, Place(Path(), style), os.environ)
    except NotConnected as error:
        return problem(area, error.message, error.next or advice)
    return ok(area, f"{seen}.", **_facts(seen))


def _facts(seen: ServerSummary) -> dict[str, Any]:
    return {"tools": seen.tools, "size_bytes": seen.size_bytes, "milliseconds": seen.milliseconds}


@contextmanager
def _short_token() -> Iterator[str]:
    token, secret = create_token(
        owner=local_owner(),
        name=f"doctor-{secrets.token_hex(4)}",
        scopes=[Scope.READ],
        expires_at=timezone.now() + timedelta(minutes=2),
    )
    try:
        yield secret
    finally:
        revoke_token(token=token)
        token.delete()


def _host() -> dict[str, str]:
    """Call the site by a name that it answers to, where the name of this machine's loopback is none."""
    names = [name for name in settings.ALLOWED_HOSTS if name.strip(".*")]
    address = urlsplit(recall()).hostname or ""
    if not names or address in (name.strip("[]") for name in names):
        return {}
    return {"Host": names[0].lstrip(".")}


def _get(path: str) -> tuple[int, dict[str, Any]]:
    """Return status and JSON of a page of the site; status 0 where nobody answers."""
    parts = urlsplit(recall())
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path, headers={"Accept": "application/json", **_host()})
        with connection.getresponse() as response:
            body = json.loads(response.read(_BODY_LIMIT))
            return response.status, body if isinstance(body, dict) else {}
    except OSError:
        return 0, {}
    except (HTTPException, ValueError):
        return -1, {}
    finally:
        connection.close()
