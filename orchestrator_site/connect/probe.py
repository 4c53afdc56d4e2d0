"""Tries a connection as an assistant would: greet, list the tools, and say what was seen."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from orchestrator_site.kernel.errors import NotReady

LEGACY, MODERN = "2025-06-18", "2026-07-28"
CLIENT = {"name": "task-orchestrator-connect", "version": "1"}
DEADLINE_SECONDS = 30.0
ANSWER_LIMIT = 16 * 1024 * 1024


class NotConnected(NotReady):
    """An assistant would not get through here; the message says where it ended."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What an assistant sees: who answers, how many tools, how large their list is, and how long it took."""

    server: str
    version: str
    protocol: str
    tools: int
    size_bytes: int
    milliseconds: int

    def __str__(self) -> str:
        return (
            f"{self.server} {self.version} answers (protocol {self.protocol}): "
            f"{self.tools} tools in {self.size_bytes:,} bytes after {self.milliseconds:,} ms"
        )


class Wire:
    """One connection, over which requests are sent and answered in order."""

    def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return its whole answer; raises NotConnected."""
        raise NotImplementedError

    def notify(self, method: str) -> None:
        """Send a notification; raises NotConnected."""
        raise NotImplementedError


def greet_and_list(wire: Wire, began: float) -> Seen:
    """Do the handshake and list the tools, as assistants of the widest-spread era do.

    `began` is the monotonic time in seconds at which the connection was begun. Raises NotConnected.
    """
    params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": CLIENT}
    greeting = _result(wire.request("initialize", params), "initialize")
    wire.notify("notifications/initialized")
    tools = _result(wire.request("tools/list", {}), "tools/list")
    return _seen(_object(greeting.get("serverInfo")), str(greeting.get("protocolVersion", "")), tools, began)


def discover_and_list(wire: Wire, began: float) -> Seen:
    """The same without a handshake, as assistants of the newest era do."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": CLIENT,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    found = _result(wire.request("server/discover", {"_meta": meta}), "server/discover")
    tools = _result(wire.request("tools/list", {"_meta": meta}), "tools/list")
    server = found.get("serverInfo") or _object(found.get("_meta")).get("io.modelcontextprotocol/serverInfo")
    return _seen(_object(server), MODERN, tools, began)


def _seen(server: dict[str, Any], protocol: str, listed: dict[str, Any], began: float) -> Seen:
    tools = listed.get("tools")
    if not isinstance(tools, list):
        raise NotConnected("tools/list was answered without a list of tools.", next="Is this our server at all?")
    return Seen(
        server=str(server.get("name", "a server without a name")),
        version=str(server.get("version", "")),
        protocol=protocol,
        tools=len(tools),
        size_bytes=len(json.dumps(listed, separators=(",", ":"), ensure_ascii=False).encode()),
        milliseconds=round((time.monotonic() - began) * 1000),
    )


def _result(answer: dict[str, Any], method: str) -> dict[str, Any]:
    error = answer.get("error")
    if isinstance(error, dict):
        raise NotConnected(f"{method} was refused: {str(error.get('message', error))[:300]}")
    return _object(answer.get("result"))


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
