"""The bridge over HTTP, as an assistant in a storm reaches it: the site behind it is killed, never this end."""

from __future__ import annotations

import json
from http.client import HTTPException
from pathlib import Path

from tests.mcp.http_client import HttpClient
from tests.storm.client import Answer, Gone


class Remote:
    """One client with a token of its own; what `Server` is for pipes."""

    def __init__(self, port: int, secret: str, project: Path, *, modern: bool) -> None:
        self._client = HttpClient(port, secret, modern=modern)
        self._project = project
        self._handle = ""

    def greet(self) -> None:
        """Do the handshake where the era has one."""
        if not self._client.is_modern:
            try:
                self._client.handshake()
            except (OSError, HTTPException, ValueError) as error:
                raise Gone from error

    def call(self, tool: str, **arguments: object) -> Answer:
        """Call a tool and return what it says. Raises Gone where the answer was cut off."""
        if tool == "initialize_session":
            arguments["project_dir"] = str(self._project)
        elif self._client.is_modern:
            arguments["session_id"] = self._handle
        try:
            answer = self._client.request("tools/call", name=f"orchestrator_{tool}", arguments=arguments)
        except (OSError, HTTPException, ValueError) as error:
            raise Gone from error
        facts: Answer = json.loads(answer["result"]["content"][0]["text"])
        self._handle = facts.get("session_id", self._handle) if tool == "initialize_session" else self._handle
        return facts

    def kill(self) -> None:
        """Leave nothing in flight."""
        self._client.close()

    def end(self) -> None:
        self._client.close()
