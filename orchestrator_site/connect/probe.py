"""Connect to a configured MCP server as an assistant does, and report what it offers."""

from __future__ import annotations

import logging
import os
import re
import ssl
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO, cast
from urllib.parse import urlsplit
from uuid import uuid4

import anyio
import psutil
from pydantic import ValidationError

from orchestrator_site.connect.clients import ConfigFile
from orchestrator_site.connect.diffs import masked
from orchestrator_site.kernel.errors import NotReady

if TYPE_CHECKING:  # importing mcp takes a second, so only a probe does
    from httpx2 import Response

COMMAND_SECONDS = 30.0
HTTP_SECONDS = 10.0
_STDERR_LENGTH = 600
_STATUSES = {
    401: ("token_rejected", "rejects the token (401)", "Renew it: python manage.py connect CLIENT --http"),
    403: ("forbidden", "does not allow this with the token (403)", "Renew it with more --scopes."),
    404: ("not_found", "does not exist (404)", "Check the URL; it usually ends in /mcp."),
    421: ("wrong_host", "is not served under this host name (421)", "Add it to ORCHESTRATOR_ALLOWED_HOSTS."),
    429: ("rate_limited", "blocks this machine after too many failed attempts (429)", "Wait a minute."),
}


# The pattern for each syntax of a reference to an environment variable.
_REFERENCES = {
    "${%s}": re.compile(r"\$\{(?P<name>\w+)(?::-[^}]*)?\}"),
    "${env:%s}": re.compile(r"\$\{env:(?P<name>\w+)\}"),
    "$%s": re.compile(r"\$(?P<brace>\{)?(?P<name>\w+)(?(brace)\})"),
}
_MARK = "MCP_PROBE"
_OURS = ("ORCHESTRATOR_", "DATABASE_", "DJANGO_")


class NotConnected(NotReady):
    """An assistant could not use this server; `reason` says at which point, for machines."""

    def __init__(self, reason: str, message: str, *, next: str = "") -> None:
        super().__init__(message, next=next, details={"reason": reason})
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ServerSummary:
    """What an assistant gets: the server, its tools, and how long it took."""

    server: str
    version: str
    protocol: str
    tools: int
    size_bytes: int
    milliseconds: int

    def __str__(self) -> str:
        return (
            f"{self.server} {self.version} (protocol {self.protocol}): "
            f"{self.tools} tools, {self.size_bytes:,} bytes, {self.milliseconds:,} ms"
        )


def probe_entry(entry: Mapping[str, Any], config_file: ConfigFile, environ: Mapping[str, str]) -> ServerSummary:
    """Run an entry's command or connect to its URL. Raises NotConnected.

    The command does not inherit our settings from this process, so the entry must be complete.
    """
    pattern = _REFERENCES.get(config_file.style.reference)

    def expand(value: object) -> str:
        return pattern.sub(lambda match: environ.get(match["name"], match[0]), str(value)) if pattern else str(value)

    def expand_values(values: object) -> dict[str, str]:
        return {str(name): expand(value) for name, value in values.items()} if isinstance(values, dict) else {}

    url = entry.get(config_file.style.url) if config_file.style.url else None
    if isinstance(url, str):
        return probe_url(expand(url), expand_values(entry.get(config_file.style.headers)))
    command, arguments = entry.get("command"), entry.get("args", [])
    if not isinstance(command, str) or not isinstance(arguments, list):
        raise NotConnected(
            "bad_entry", "The entry has neither a command nor a URL.", next="Connect the assistant again."
        )
    inherited = {name: value for name, value in environ.items() if not name.startswith(_OURS)}
    forwarded = {name: environ[name] for name in entry.get("env_vars", []) if name in environ}
    variables = {**inherited, **forwarded, **expand_values(entry.get("env"))}
    folder = str(config_file.project) if config_file.project else None
    return probe_command(expand(command), [expand(argument) for argument in arguments], variables, folder=folder)


def probe_command(
    command: str,
    arguments: Sequence[str],
    environ: Mapping[str, str],
    *,
    folder: str | None = None,
    deadline_seconds: float = COMMAND_SECONDS,
) -> ServerSummary:
    """Start a command and connect to it over its pipes. Raises NotConnected with the end of its standard error."""
    from mcp.client.stdio import StdioServerParameters, stdio_client

    marked = {**environ, _MARK: uuid4().hex}
    parameters = StdioServerParameters(command=command, args=[*arguments], env=marked, cwd=folder)
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as stderr:

        async def connect() -> ServerSummary:
            pipes = stdio_client(parameters, errlog=cast(TextIO, stderr))
            return await _connect(pipes, command, is_legacy=True, seconds=deadline_seconds)

        try:
            return _run(connect, command)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise NotConnected(
                "not_started", f"Cannot start {command}: {why}.", next="If it has moved, connect the assistant again."
            ) from error
        except NotConnected as error:
            stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - 8192))
            output = masked(stderr.read()).strip()[-_STDERR_LENGTH:]
            message = f"{error.message}\nStandard error: {output}" if output else error.message
            raise NotConnected(error.reason, message, next="Run the command in a terminal.") from error
        finally:
            _kill_marked(marked[_MARK])


def _kill_marked(mark: str) -> None:
    """Kill what the command started: it may be gone, and its process group with it, before anyone could look."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it has exited, or it is another user's
            if process.environ().get(_MARK) == mark:
                process.kill()


def probe_url(url: str, headers: Mapping[str, str], *, deadline_seconds: float = HTTP_SECONDS) -> ServerSummary:
    """Connect to a URL, without proxies or redirects to other hosts. Raises NotConnected."""
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    if not is_http_url(url):
        raise NotConnected("bad_url", f"{url[:200]!r} is not an HTTP URL.", next="Connect the assistant again.")
    parts = urlsplit(url)
    parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    shown = parts._replace(query="", fragment="").geturl()
    statuses: list[int] = []

    async def note_status(response: Response) -> None:
        statuses.append(response.status_code)

    async def connect() -> ServerSummary:
        async with httpx2.AsyncClient(
            headers=headers,
            timeout=None,  # the deadline covers the whole probe
            trust_env=False,
            verify=ssl.create_default_context(),
            event_hooks={"response": [note_status]},
        ) as client:
            transport = streamable_http_client(parts.geturl(), http_client=client)
            return await _connect(transport, shown, is_legacy=False, seconds=deadline_seconds)

    try:
        return _run(connect, shown)
    except (httpx2.InvalidURL, httpx2.LocalProtocolError, ValueError) as error:
        raise NotConnected("bad_url", f"The URL or a header is not valid: {shown}.") from error
    except httpx2.RequestError as error:
        if isinstance(error, (httpx2.RemoteProtocolError, httpx2.DecodingError)):
            raise NotConnected("not_mcp", f"{shown} did not answer as an MCP server: {error}.") from error
        advice = "Start the site: python manage.py up"
        raise NotConnected("unreachable", f"Cannot reach {shown}: {error}.", next=advice) from error
    except NotConnected as error:
        if statuses[-1:] in ([], [200]):
            raise
        status = statuses[-1]
        reason, why, advice = _STATUSES.get(status, ("http_error", f"answered {status}", ""))
        raise NotConnected(reason, f"{shown} {why}.", next=advice) from error


def is_http_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.split() == [url]
    except ValueError:
        return False


async def _connect(
    transport: AbstractAsyncContextManager[Any], name: str, *, is_legacy: bool, seconds: float
) -> ServerSummary:
    from mcp.client.session import ClientSession
    from mcp_types import Implementation

    client = Implementation(name="task-orchestrator-connect", version="1")
    began = time.monotonic()
    faults: list[Exception] = []
    with anyio.move_on_after(seconds) as scope:

        async def note_fault(message: object) -> None:
            if isinstance(message, Exception):
                faults.append(message)
                scope.cancel()

        async with (
            transport as (reader, writer),
            ClientSession(reader, writer, client_info=client, message_handler=note_fault) as session,
        ):
            await (session.initialize() if is_legacy else session.discover())
            listed = await session.list_tools()
            server = session.server_info
            return ServerSummary(
                server=server.name if server else "unnamed server",
                version=server.version if server else "",
                protocol=session.protocol_version or "",
                tools=len(listed.tools),
                size_bytes=len(listed.model_dump_json(by_alias=True, exclude_unset=True).encode()),
                milliseconds=round((time.monotonic() - began) * 1000),
            )
    if faults:
        raise NotConnected("bad_message", f"{name} sent something that is not an MCP message.")
    raise NotConnected("timeout", f"{name} did not answer within {seconds:g} seconds.")


def _run(connect: Callable[[], Awaitable[ServerSummary]], name: str) -> ServerSummary:
    """Run a connection. Raises NotConnected for a protocol error, and errors of the transport as they are."""
    from mcp.shared.exceptions import MCPError
    from mcp_types import CONNECTION_CLOSED, INVALID_REQUEST, PARSE_ERROR

    logging.getLogger("mcp.client").setLevel(logging.CRITICAL)  # it logs what is raised here, with tracebacks
    try:
        return anyio.run(connect)
    except ExceptionGroup as group:
        error: Exception = group
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, MCPError) and error.code == CONNECTION_CLOSED:
            raise NotConnected("closed", f"{name} closed the connection before it answered.") from error
        if isinstance(error, MCPError) and error.code not in (INVALID_REQUEST, PARSE_ERROR):
            raise NotConnected("error", f"{name} returned an error: {error.message[:300]}") from error
        if isinstance(error, (MCPError, ValidationError, RuntimeError)):
            raise NotConnected("not_mcp", f"{name} did not answer as an MCP server.") from error
        raise error from group
