"""What stands in a client's configuration for us: a command to start, or an address with a token."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.conf import settings

from orchestrator_site.connect.clients import Style
from orchestrator_site.kernel.errors import Invalid

PLACEHOLDER = "YOUR-TOKEN"
TOOLSETS = "--toolsets"
OWN_VARIABLES = ("ORCHESTRATOR_HOME", "DATABASE_URL", "ORCHESTRATOR_CONTENT_URL", "ORCHESTRATOR_PROJECT_DIR")
STORE_VARIABLES = (
    *("ORCHESTRATOR_CONTENT_URL", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION"),
    *("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
)
"""What an object store is reached by."""
_SECRET_VARIABLES = frozenset({"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"})
_STDIO_KEYS = ("type", "command", "args", "env", "env_vars", "cwd")
_HTTP_KEYS = ("transport", "url", "serverUrl", "httpUrl", "headers", "http_headers", "bearer_token_env_var")
_OWN_KEYS = (*_STDIO_KEYS, *_HTTP_KEYS)


@dataclass(frozen=True, slots=True)
class Stdio:
    """This installation as a command.

    `database_url` is empty where the data is in the data folder, `scopes` where the pipe may do everything. `store`
    holds the variables of an object store.
    """

    command: str
    arguments: tuple[str, ...]
    home: str
    database_url: str = ""
    store: Mapping[str, str] = field(default_factory=dict)
    scopes: str = ""
    project: Path | None = None
    writes_secrets: bool = False


def this_installation(*, project: Path | None = None, writes_secrets: bool = False, toolsets: str = "") -> Stdio:
    """Return the command that starts the bridge of this very installation on this very data."""
    options = (TOOLSETS, toolsets) if toolsets else ()
    return Stdio(
        command=sys.executable,
        arguments=(str(Path(settings.BASE_DIR) / "manage.py"), "mcp_serve", *options),
        home=str(Path(settings.ORCHESTRATOR_HOME).resolve()),
        database_url=os.environ.get("DATABASE_URL", ""),
        store=store_variables(),
        scopes=os.environ.get("ORCHESTRATOR_STDIO_SCOPES", ""),
        project=project,
        writes_secrets=writes_secrets,
    )


def store_variables() -> dict[str, str]:
    """Return the variables that are set for an object store; none where content is in the data folder."""
    if not os.environ.get("ORCHESTRATOR_CONTENT_URL"):
        return {}
    return {name: os.environ[name] for name in STORE_VARIABLES if os.environ.get(name)}


def is_secret(name: str, value: str) -> bool:
    """Tell whether a variable holds what only its owner may see."""
    return name in _SECRET_VARIABLES or (name == "DATABASE_URL" and has_secret(value))


def stdio_entry(wanted: Stdio, style: Style) -> dict[str, Any]:
    """Return the entry that starts a command.

    The data folder is always named: a client may start its servers with another environment than yours. A password is
    never written where the client can take it from its environment; raises Invalid where it cannot.
    """
    environment = {"ORCHESTRATOR_HOME": wanted.home}
    forwarded: list[str] = []
    database = {"DATABASE_URL": wanted.database_url} if wanted.database_url else {}
    for name, value in {**database, **wanted.store}.items():
        if wanted.writes_secrets or not is_secret(name, value):
            environment[name] = value
        elif style.reference == "env_vars":
            forwarded.append(name)
        else:
            environment[name] = _by_name(name, style)
    if wanted.scopes:
        environment["ORCHESTRATOR_STDIO_SCOPES"] = wanted.scopes
    if wanted.project is not None:
        environment["ORCHESTRATOR_PROJECT_DIR"] = str(wanted.project)
    entry = {**style.stdio, "command": wanted.command, "args": list(wanted.arguments), "env": environment}
    return entry | ({"env_vars": forwarded} if forwarded else {})


def _by_name(variable: str, style: Style) -> str:
    if style.reference:
        return style.reference % variable
    raise Invalid(
        f"{variable} holds a password, and this client's configuration can only hold it in clear.",
        next="Say --write-secrets if that file may hold it, or connect by address where the client can: --http",
    )


def http_entry(url: str, secret: str, style: Style) -> dict[str, Any]:
    """Return the entry that opens an address with a token; raises Invalid where the client takes commands only."""
    if not style.url:
        raise Invalid(
            "This client's configuration takes commands only, no addresses.",
            next="Leave --http out: the command works without a running site.",
        )
    return {**style.http, style.url: url, style.headers: {"Authorization": f"Bearer {secret}"}}


def secret_in(entry: Mapping[str, Any], style: Style) -> str:
    """Return the token that an entry holds, empty where it holds none."""
    headers = entry.get(style.headers)
    value = headers.get("Authorization") if isinstance(headers, dict) else None
    return value.removeprefix("Bearer ").strip() if isinstance(value, str) and value.startswith("Bearer ") else ""


def has_secret(database_url: str) -> bool:
    """Tell whether an address of a database names a password."""
    parts = urlsplit(database_url)
    return bool(parts.password) or any("pass" in name.lower() for name, _ in parse_qsl(parts.query))


Change = tuple[tuple[str, ...], Any]
"""A path in a configuration and its new value; `...` takes the member out."""


def changes(present: object, wanted: Mapping[str, Any], path: tuple[str, ...]) -> list[Change]:
    """Return what must change for an entry to be as wanted. What the user added to it stays as it is."""
    if not isinstance(present, dict):
        return [(path, dict(wanted))]
    found: list[Change] = [
        ((*path, key), ...) for key in (*_STDIO_KEYS, *_HTTP_KEYS) if key in present and key not in wanted
    ]
    for key, value in wanted.items():
        if key == "args":
            value = _with_added_options(present.get(key), value)
        if isinstance(value, dict) and isinstance(present.get(key), dict):
            found += _inner_changes(present[key], value, (*path, key))
        elif present.get(key) != value:
            found.append(((*path, key), value))
    return found


def _with_added_options(present: object, wanted: list[str]) -> list[str]:
    """Keep what the user added behind `mcp_serve`, such as other toolsets where none are asked for now."""
    added = present[2:] if isinstance(present, list) and present[1:2] == wanted[1:2] else []
    if TOOLSETS in wanted and TOOLSETS in added:
        place = added.index(TOOLSETS)
        added = added[:place] + added[place + 2 :]
    return [*wanted, *added]


def _inner_changes(present: Mapping[str, Any], wanted: Mapping[str, Any], path: tuple[str, ...]) -> list[Change]:
    """Change variables and headers one by one, since the user may have added some."""
    gone: list[Change] = [((*path, name), ...) for name in OWN_VARIABLES if name in present and name not in wanted]
    return gone + [((*path, name), value) for name, value in wanted.items() if present.get(name) != value]
