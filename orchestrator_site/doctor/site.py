"""Check the site, its worker, and MCP over stdio and HTTP, as an assistant would use it."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from datetime import timedelta
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from orchestrator_site.accounts.owner import local_owner
from orchestrator_site.connect.clients import ConfigFile, Style
from orchestrator_site.connect.entries import http_entry, stdio_entry, this_installation
from orchestrator_site.connect.machine import this_machine
from orchestrator_site.connect.probe import NotConnected, probe_entry
from orchestrator_site.doctor.findings import Finding, ok, problem, warning
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.tokens.service import create_token, revoke_token
from orchestrator_site.up import at_sign_in
from orchestrator_site.up.address import recall

TIMEOUT_SECONDS = 5.0
_BODY_LIMIT = 1024 * 1024
_START = "Start it: python manage.py up"
_LOG = "Check the log of manage.py up."


def site() -> Iterator[Finding]:
    status, body = _get("/healthz")
    url = recall()
    if status == 0:
        yield warning("site", f"Not running at {url}. Assistants connected over stdio do not need it.", _START)
        return
    if status != 200 or body.get("status") != "ok":
        what = f"Another program answers at {url}/healthz ({status})."
        yield problem("site", what, "Stop it, or start the site on another port: manage.py up --port 8001")
        return
    yield ok("site", f"Running at {url}.", url=url)
    checks = _get("/readyz")[1].get("checks")
    for name, result in (checks if isinstance(checks, dict) else {}).items():
        check = result if isinstance(result, dict) else {}
        facts = {key: value for key, value in check.items() if key not in ("ok", "problem")}
        if check.get("ok"):
            counted = {key: value for key, value in facts.items() if not isinstance(value, bool)}
            shown = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in counted.items())
            yield ok(f"site: {name}", f"OK{f' ({shown})' if shown else ''}.", **facts)
        else:
            yield problem(f"site: {name}", str(check.get("problem", "The check failed.")), _LOG, **facts)


def service() -> Iterator[Finding]:
    unit = at_sign_in.unit(this_machine())
    if not unit.path.exists():
        yield ok("service", "Not installed: the site runs only where it is started (manage.py service install).")
    elif at_sign_in.is_running(unit):
        yield ok("service", f"Installed and running ({unit.path}).")
    else:
        yield warning("service", f"Installed ({unit.path}), but not running.", "Run: python manage.py service install")


def stdio() -> Iterator[Finding]:
    style = Style()
    entry = stdio_entry(this_installation(writes_secrets=True), style)
    yield _probe("MCP over stdio", entry, style, "Run it in a terminal: python manage.py mcp_serve")


def http() -> Iterator[Finding]:
    if _get("/healthz")[0] != 200:
        yield warning("MCP over HTTP", "Not checked, because the site is not running.", _START)
        return
    style = Style()
    token, secret = create_token(
        owner=local_owner(),
        name=f"doctor-{secrets.token_hex(4)}",
        scopes=[Scope.READ],
        expires_at=timezone.now() + timedelta(minutes=2),
    )
    try:
        entry = http_entry(f"{recall().rstrip('/')}/mcp", secret, style)
        entry[style.headers].update(_host_header())
        yield _probe("MCP over HTTP", entry, style, _LOG)
    finally:
        revoke_token(token=token)
        token.delete()


def _probe(area: str, entry: dict[str, Any], style: Style, advice: str) -> Finding:
    try:
        summary = probe_entry(entry, ConfigFile(Path(), style), os.environ)
    except NotConnected as error:
        return problem(area, error.message, error.next or advice, reason=error.reason)
    facts = {"tools": summary.tools, "size_bytes": summary.size_bytes, "milliseconds": summary.milliseconds}
    return ok(area, f"{summary}.", **facts)


def _host_header() -> dict[str, str]:
    """Use an allowed host name if the loopback address is not one."""
    names = [name for name in settings.ALLOWED_HOSTS if name.strip(".*")]
    address = urlsplit(recall()).hostname or ""
    if not names or address in (name.strip("[]") for name in names):
        return {}
    return {"Host": names[0].lstrip(".")}


def _get(path: str) -> tuple[int, dict[str, Any]]:
    """Return the status and JSON of a page of the site; status 0 if it cannot be reached."""
    parts = urlsplit(recall())
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path, headers={"Accept": "application/json", **_host_header()})
        with connection.getresponse() as response:
            body = json.loads(response.read(_BODY_LIMIT))
            return response.status, body if isinstance(body, dict) else {}
    except OSError:
        return 0, {}
    except (HTTPException, ValueError):
        return -1, {}
    finally:
        connection.close()
