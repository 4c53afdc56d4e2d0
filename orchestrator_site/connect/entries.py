"""Build the entry for our MCP server in a client's configuration: a command, or a URL with a token."""

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
QUEUE_VARIABLE = "ORCHESTRATOR_QUEUE_URL"
URLS = ("DATABASE_URL", QUEUE_VARIABLE)
"""The variables whose URL may hold a password."""
OWN_VARIABLES = (*URLS, "ORCHESTRATOR_HOME", "ORCHESTRATOR_CONTENT_URL", "ORCHESTRATOR_PROJECT_DIR")
STORE_VARIABLES = (
    *("ORCHESTRATOR_CONTENT_URL", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION"),
    *("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
)
"""The variables that configure an object store."""
_SECRET_VARIABLES = frozenset({"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"})
_OWN_KEYS = (
    *("type", "command", "args", "env", "env_vars", "cwd"),
    *("transport", "url", "serverUrl", "httpUrl", "headers", "http_headers", "bearer_token_env_var"),
)


@dataclass(frozen=True, slots=True)
class Stdio:
    """The command that starts this installation's MCP server.

    `database_url` is empty for the default database, `scopes` for full access. `store` holds the variables of an
    object store, and of a queue outside of the database.
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
    store = STORE_VARIABLES if os.environ.get("ORCHESTRATOR_CONTENT_URL") else ()
    return {name: os.environ[name] for name in (QUEUE_VARIABLE, *store) if os.environ.get(name)}


def is_secret(variable: str, value: str) -> bool:
    return variable in _SECRET_VARIABLES or (variable in URLS and has_secret(value))


def has_secret(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.password) or any("pass" in name.lower() for name, _ in parse_qsl(parts.query))


def stdio_entry(wanted: Stdio, style: Style) -> dict[str, Any]:
    """Return the entry that starts a command.

    The data folder is always included, because a client may start its servers with another environment. Secrets are
    written as references to variables if the client supports those. Raises Invalid if it does not.
    """
    environment = {"ORCHESTRATOR_HOME": wanted.home}
    forwarded: list[str] = []
    database = {"DATABASE_URL": wanted.database_url} if wanted.database_url else {}
    for name, value in {**database, **wanted.store}.items():
        if wanted.writes_secrets or not is_secret(name, value):
            environment[name] = value
        elif style.reference == "env_vars":
            forwarded.append(name)
        elif style.reference:
            environment[name] = style.reference % name
        else:
            raise Invalid(
                f"{name} contains a password, and this client's configuration can only store it in plain text.",
                next="Allow that with --write-secrets, or use --http if the client supports it.",
            )
    if wanted.scopes:
        environment["ORCHESTRATOR_STDIO_SCOPES"] = wanted.scopes
    if wanted.project is not None:
        environment["ORCHESTRATOR_PROJECT_DIR"] = str(wanted.project)
    entry = {**style.stdio, "command": wanted.command, "args": list(wanted.arguments), "env": environment}
    return entry | ({"env_vars": forwarded} if forwarded else {})


def http_entry(url: str, secret: str, style: Style) -> dict[str, Any]:
    """Return the entry for a URL with a token. Raises Invalid if the client only supports commands."""
    if not style.url:
        raise Invalid(
            "This client only supports commands, not URLs.",
            next="Omit --http: the command works without a running site.",
        )
    return {**style.http, style.url: url, style.headers: {"Authorization": f"Bearer {secret}"}}


def secret_in(entry: Mapping[str, Any], style: Style) -> str:
    headers = entry.get(style.headers)
    value = headers.get("Authorization") if isinstance(headers, dict) else None
    return value.removeprefix("Bearer ").strip() if isinstance(value, str) and value.startswith("Bearer ") else ""


Change = tuple[tuple[str, ...], Any]
"""A path in a configuration and its new value; `...` removes the member."""


def changes(current: object, wanted: Mapping[str, Any], path: tuple[str, ...]) -> list[Change]:
    """Return the changes that turn an entry into the wanted one, keeping what the user added to it."""
    if not isinstance(current, dict):
        return [(path, dict(wanted))]
    found: list[Change] = [((*path, key), ...) for key in _OWN_KEYS if key in current and key not in wanted]
    for key, value in wanted.items():
        if key == "args":
            value = _with_added_options(current.get(key), value)
        if isinstance(value, dict) and isinstance(current.get(key), dict):
            # Variables and headers one by one, because the user may have added others.
            before = current[key]
            found += [((*path, key, name), ...) for name in OWN_VARIABLES if name in before and name not in value]
            found += [((*path, key, name), new) for name, new in value.items() if before.get(name) != new]
        elif current.get(key) != value:
            found.append(((*path, key), value))
    return found


def _with_added_options(current: object, wanted: list[str]) -> list[str]:
    """Keep options that the user added after `mcp_serve`, and its toolsets unless others are requested."""
    added = current[2:] if isinstance(current, list) and current[1:2] == wanted[1:2] else []
    if TOOLSETS in wanted and TOOLSETS in added:
        index = added.index(TOOLSETS)
        added = added[:index] + added[index + 2 :]
    return [*wanted, *added]
