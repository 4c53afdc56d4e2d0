"""A client in the raw over HTTP, for both eras of the protocol, and a real site for it to talk to."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

from tests.homes import make_home
from tests.mcp.stdio_client import CLIENT, DEADLINE_SECONDS, MODERN, environment, said

HANDSHAKE_VERSION = "2025-06-18"
MODERN_VERSION = "2026-07-28"
FULL = {"scopes": ["read", "write", "review"]}


class Served:
    """A site that runs, and the secrets of the tokens that were made for it."""

    def __init__(self, port: int, process: subprocess.Popen[str], home: Path) -> None:
        self.port = port
        self.home = home
        self.process = process
        self._errors_file = home.parent / "site-errors"
        assert process.stdout
        line = process.stdout.readline()
        assert line, f"the site ended: {self.errors()}"
        self.secrets: dict[str, str] = json.loads(line)
        self._clients: list[HttpClient] = []

    def client(self, token: str, *, modern: bool = True) -> HttpClient:
        """Connect with one of the tokens, with the handshake where the era has one."""
        client = HttpClient(self.port, self.secrets[token], modern=modern)
        self._clients.append(client)
        if not modern:
            client.handshake()
        return client

    def hang_up(self) -> None:
        """Close every client's connections."""
        while self._clients:
            self._clients.pop().close()

    def errors(self) -> str:
        return self._errors_file.read_text()


@contextmanager
def served(home: Path, tokens: dict[str, Any], *, trial: bool = False, **environ: str) -> Iterator[Served]:
    """Serve a site on a data folder; nothing is left of it afterwards."""
    if not home.exists():
        make_home(home)
    with socket.create_server(("127.0.0.1", 0)) as listener, (home.parent / "site-errors").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.mcp.serve", str(listener.fileno()), json.dumps(tokens)],
            env=environment(home, trial=trial) | environ,
            pass_fds=[listener.fileno()],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            site = Served(listener.getsockname()[1], process, home)
            yield site
            site.hang_up()
        finally:
            process.kill()
            process.communicate()


class HttpClient:
    """One client with one token. It keeps a session in the legacy era."""

    def __init__(self, port: int, secret: str, *, modern: bool = True) -> None:
        self.is_modern = modern
        self.port = port
        self.secret = secret
        self.session_id = ""
        self._connection = HTTPConnection("127.0.0.1", port, timeout=DEADLINE_SECONDS)
        self._last_id = 0
        self._answers: list[HTTPResponse] = []
        self._siblings: list[HttpClient] = []

    # Sending

    def headers(self, method: str = "", name: str = "") -> dict[str, str]:
        """What a client of this era sends along."""
        sent = {
            "Authorization": f"Bearer {self.secret}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": MODERN_VERSION if self.is_modern else HANDSHAKE_VERSION,
        }
        if self.is_modern:
            sent |= {"Mcp-Method": method} | ({"Mcp-Name": name} if name else {})
        elif self.session_id:
            sent["Mcp-Session-Id"] = self.session_id
        return sent

    def send(
        self, verb: str = "POST", body: bytes = b"", headers: dict[str, str] | None = None, path: str = "/mcp"
    ) -> HTTPResponse:
        """Send anything at all; the answer's body is still to be read."""
        self._connection.request(verb, path, body, self.headers() if headers is None else headers)
        self._answers.append(self._connection.getresponse())
        return self._answers[-1]

    def open(self, method: str, **params: Any) -> HTTPResponse:
        """Send a request and return its answer as it begins."""
        self._last_id += 1
        if self.is_modern:
            params["_meta"] = MODERN
        message = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params}
        name = str(params.get("name") or params.get("uri") or "")
        return self.send("POST", json.dumps(message).encode(), self.headers(method, name))

    @property
    def last_status(self) -> int:
        """The status of the last answer."""
        return self._answers[-1].status

    # Both

    def request(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a request and return the JSON-RPC answer to it."""
        response = self.open(method, **params)
        if session_id := response.headers.get("Mcp-Session-Id"):
            self.session_id = session_id
        (answer,) = (each for each in messages(response) if each.get("id") == self._last_id or each.get("id") is None)
        return answer

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool and return what it says, the same as text and as structure."""
        return said(self.request("tools/call", name=tool, arguments=arguments))

    def handshake(self) -> dict[str, Any]:
        """Greet as clients before 2026-07-28 do."""
        answer = self.request("initialize", protocolVersion=HANDSHAKE_VERSION, capabilities={}, clientInfo=CLIENT)
        self.send(body=b'{"jsonrpc":"2.0","method":"notifications/initialized"}').read()
        result: dict[str, Any] = answer["result"]
        return result

    def sibling(self) -> HttpClient:
        """Return another connection of the same client, in the same session."""
        other = HttpClient(self.port, self.secret, modern=self.is_modern)
        other.session_id = self.session_id
        self._siblings.append(other)
        return other

    def close(self) -> None:
        """Close the connection, whatever is still to come over it, and those of the siblings."""
        for answer in self._answers:
            answer.close()
        self._connection.close()
        for sibling in self._siblings:
            sibling.close()

    def end(self) -> int:
        """Take leave as the older era does; returns 0 where that was heard, as a process would."""
        response = self.send("DELETE")
        response.read()
        return 0 if response.status < 300 else response.status


class Window:
    """A window of a client of the newer era: it keeps the handle that it was given, as an assistant does."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self._handle = ""

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool in the session of this window."""
        if tool == "orchestrator_initialize_session":
            answer = self._client.call(tool, **arguments)
            self._handle = answer["session_id"]
            return answer
        return self._client.call(tool, **arguments, session_id=self._handle)

    def end(self) -> int:
        """End the session over REST, since the era has no leave-taking; 0 where that went well."""
        connection = HTTPConnection("127.0.0.1", self._client.port, timeout=DEADLINE_SECONDS)
        headers = {"Authorization": f"Bearer {self._client.secret}"}
        connection.request("POST", f"/api/v1/sessions/{self._handle}/end", headers=headers)
        status = connection.getresponse().status
        connection.close()
        return 0 if status == 200 else status


def messages(response: HTTPResponse) -> Iterator[dict[str, Any]]:
    """Yield the messages of an answer, whether it is one JSON document or a stream."""
    if not (response.headers.get("Content-Type") or "").startswith("text/event-stream"):
        yield json.loads(response.read())
        return
    for line in response:
        if line.startswith(b"data:") and (text := line.removeprefix(b"data:").strip()):
            yield json.loads(text)
