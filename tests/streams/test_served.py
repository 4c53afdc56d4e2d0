"""Streams of events from the site as it is run."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.site.processes import Site, manage, start

DEADLINE_SECONDS = 100
STREAMS = 16
EVENTS = "/api/v1/events"
Ask = Callable[..., HTTPResponse]


@pytest.fixture
def site(fresh_home: Path, tmp_path: Path) -> Iterator[Site]:
    with start(tmp_path / "up", "manage.py", "up", "--port", "0", "--no-worker") as site:
        site.wait_until_greeted()
        yield site


def secret(*scopes: str) -> str:
    made = manage("token", "create", "+".join(scopes), "--scopes", ",".join(scopes))
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


@pytest.fixture
def connections() -> Iterator[list[HTTPConnection]]:
    """Every connection that the test opens."""
    opened: list[HTTPConnection] = []
    yield opened
    for connection in opened:
        connection.close()


@pytest.fixture
def ask(site: Site, connections: list[HTTPConnection]) -> Ask:
    """Send a request on a connection of its own."""

    def asked(token: str, path: str, *, verb: str = "GET", body: object = None, **headers: str) -> HTTPResponse:
        connections.append(HTTPConnection(urlsplit(site.address).netloc, timeout=DEADLINE_SECONDS))
        sent = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **headers}
        connections[-1].request(verb, path, json.dumps(body) if body is not None else None, sent)
        return connections[-1].getresponse()

    return asked


def frame(stream: HTTPResponse) -> dict[str, str]:
    """Read up to the next empty line."""
    lines = []
    while line := stream.readline().decode().rstrip("\n"):
        lines.append(line)
    return dict(line.split(": ", 1) for line in lines)


def test_streams_report_changes_and_end_with_the_site(site: Site, ask: Ask) -> None:
    token = secret("admin")
    streams = [ask(token, EVENTS, Accept="text/event-stream") for _ in range(STREAMS)]
    for stream in streams:
        assert "id" in frame(stream) or "id" in frame(stream)  # where to go on from, after how soon to come back
    made = ask(token, "/api/v1/projects", verb="POST", body={"name": "The ledger"})
    assert made.status == 201, made.read()
    frames = [frame(stream) for stream in streams]
    assert {each["event"] for each in frames} == {"changed"}
    assert [json.loads(each["data"])["verb"] for each in frames] == ["create_project"] * STREAMS
    site.end(signal.SIGTERM)
    assert [stream.read() for stream in streams] == [b""] * STREAMS  # ended by us, not cut off
    assert "Traceback" not in site.err.read_text()
