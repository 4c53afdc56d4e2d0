"""A site as it is run, with access tokens for it, and requests in the raw: any header, any body."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.homes import make_home
from tests.mcp.http_client import HANDSHAKE_VERSION, HttpClient
from tests.mcp.stdio_client import CLIENT, DEADLINE_SECONDS, MODERN
from tests.site.processes import Site, manage, start

MAKE = "import json; from tests.mcp.serve import make; print(json.dumps({n: make(n, **f) for n, f in %r.items()}))"
LISTING = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": MODERN}}
GREETING = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": HANDSHAKE_VERSION, "capabilities": {}, "clientInfo": CLIENT},
}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read to its end."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def error_code(self) -> int:
        """The code of the JSON-RPC error."""
        return int(self.json["error"]["code"])


@dataclass
class SecuredSite:
    """A site that runs, and the secrets of its tokens."""

    process: Site
    home: Path
    port: int
    secrets: dict[str, str]
    clients: list[HttpClient] = field(default_factory=list)

    def client(self, token: str, *, modern: bool = True) -> HttpClient:
        """Connect with one of the tokens."""
        client = HttpClient(self.port, self.secrets[token], modern=modern)
        self.clients.append(client)
        if not modern:
            client.handshake()
        return client

    def hang_up(self) -> None:
        """Close every client's connections."""
        while self.clients:
            self.clients.pop().close()

    def knock(
        self,
        changes: dict[str, str | None] | None = None,
        *,
        verb: str = "POST",
        target: str = "/mcp",
        body: Any = None,
        modern: bool = True,
    ) -> Reply:
        """Send a request that is right but for some headers (None leaves one out), verb, target or body."""
        headers = HttpClient(self.port, self.secrets["laptop"], modern=modern).headers("tools/list")
        sent = {name: value for name, value in {**headers, **(changes or {})}.items() if value is not None}
        if body is None:
            body = LISTING if modern else GREETING
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_SECONDS)) as connection:
            connection.request(verb, target, raw if verb == "POST" else None, sent)
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())

    def ask(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask or change the database beside the site's back."""
        with closing(sqlite3.connect(self.home / "orchestrator.sqlite3", timeout=DEADLINE_SECONDS)) as database:
            rows = database.execute(sql, values).fetchall()
            database.commit()
            return rows

    def errors(self) -> str:
        """What the site has logged."""
        return self.process.err.read_text()


@contextmanager
def secured(
    folder: Path, tokens: dict[str, Any], *, command: Sequence[str] = (), through: Sequence[str] = (), **environ: str
) -> Iterator[SecuredSite]:
    """Run `manage.py up`, or another `command`, with the trial app in a data folder of its own, and make some tokens.

    `through` is a program that executes the command.
    """
    home = make_home(folder / "home")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("ORCHESTRATOR_", "DATABASE_"))]:
            patch.delenv(name)
        given = {"ORCHESTRATOR_HOME": str(home), "DJANGO_SETTINGS_MODULE": "tests.mcp.settings"} | environ
        for name, value in given.items():
            patch.setenv(name, value)
        with start(folder, *command, through=through) as process:
            process.wait_until_greeted()
            made = manage("shell", "--no-imports", "-v", "0", "-c", MAKE % tokens)
            assert made.returncode == 0, made.stderr
            site = SecuredSite(process, home, urlsplit(process.address).port or 0, json.loads(made.stdout))
            try:
                yield site
            finally:
                site.hang_up()
