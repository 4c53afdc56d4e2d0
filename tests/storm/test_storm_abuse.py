"""One caller takes all it can get: others are still served within a second."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlencode

import psutil
import pytest

from orchestrator_site.asgi.shares import STREAMS_PER_CREDENTIAL
from tests.mcp.http_client import FULL, messages
from tests.mcp.secured import GREETING, SecuredSite, secured
from tests.mcp.stdio_client import DEADLINE_SECONDS

pytestmark = [pytest.mark.storm, pytest.mark.timeout(600)]

DESCRIPTORS = 1024
LARGE = 31 * 1024 * 1024
RSS_BYTES = 600_000_000
LOG_BYTES = 1_000_000
SECONDS = 1.0
"""How long others may wait."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredSite]:
    tokens = {"laptop": FULL, "eve": {"scopes": ["read"]}}
    limit = ("prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}")
    with secured(tmp_path_factory.mktemp("abuse"), tokens, through=limit) as site:
        site.client("laptop").call("orchestrator_initialize_session", project_dir=str(_folder(site, "shop")))
        yield site


def _folder(site: SecuredSite, name: str) -> Path:
    (folder := site.home.parent / name).mkdir(exist_ok=True)
    return folder


@contextmanager
def others_are_served(site: SecuredSite, tell: Callable[[str], None]) -> Iterator[None]:
    """Ask with another token and without one again and again; fail if an answer takes longer than SECONDS."""
    over, waits = Event(), []

    def ask() -> None:
        while not over.is_set():
            for question in (lambda: _health(site), lambda: site.client("laptop").call("orchestrator_get_status")):
                began = time.monotonic()
                question()
                waits.append(time.monotonic() - began)
            site.hang_up()

    with ThreadPoolExecutor(1) as thread:
        asking = thread.submit(ask)
        try:
            yield
        finally:
            over.set()
        asking.result(DEADLINE_SECONDS)
    tell(f"{len(waits)} answers to others, the slowest after {max(waits):.2f} s")
    assert max(waits) <= SECONDS
    assert site.process.err.stat().st_size < LOG_BYTES


def _health(site: SecuredSite) -> None:
    with closing(HTTPConnection("127.0.0.1", site.port, timeout=DEADLINE_SECONDS)) as connection:
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200


def _peak(site: SecuredSite) -> int:
    """Return the most memory that any process of the site ever had, in bytes."""
    processes = [psutil.Process(site.process.process.pid)]
    processes += processes[0].children(recursive=True)
    lines = [line for each in processes for line in Path(f"/proc/{each.pid}/status").read_text().splitlines()]
    return max(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024


def test_four_large_bodies_of_empty_lists_cost_little(site: SecuredSite, tell: Callable[[str], None]) -> None:
    call = {"name": "orchestrator_get_status", "arguments": {"x": "LISTS"}}
    raw = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}).encode()
    raw = raw.replace(b'"LISTS"', b"[" + b"[]," * (LARGE // 3) + b"[]]")
    headers: dict[str, str | None] = {"Authorization": f"Bearer {site.secrets['eve']}"}
    with others_are_served(site, tell), ThreadPoolExecutor(4) as threads:
        statuses = {reply.status for reply in threads.map(lambda _: site.knock(headers, body=raw), range(4))}
    assert statuses <= {400, 413, 503}
    tell(f"peak of memory {_peak(site) / 1e6:.0f} MB")
    assert _peak(site) < RSS_BYTES


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ",
        b"POST /sign-in/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\na",
    ],
)
def test_half_requests_of_more_connections_than_descriptors_are_ended(
    site: SecuredSite, tell: Callable[[str], None], sent: bytes
) -> None:
    with contextlib.ExitStack() as stack, others_are_served(site, tell):
        for _ in range(DESCRIPTORS + 76):
            with contextlib.suppress(OSError):
                connection = stack.enter_context(socket.create_connection(("127.0.0.1", site.port), timeout=5))
                connection.sendall(sent)


def test_999_handshakes_leave_sessions_for_others(site: SecuredSite, tell: Callable[[str], None]) -> None:
    headers: dict[str, str | None] = {"Authorization": f"Bearer {site.secrets['eve']}"}
    with others_are_served(site, tell), ThreadPoolExecutor(8) as threads:
        statuses = {reply.status for reply in threads.map(lambda _: _greeted(site, headers), range(999))}
    assert statuses <= {200, 503}
    site.client("laptop", modern=False)


def _greeted(site: SecuredSite, headers: dict[str, str | None]) -> Any:
    return site.knock(headers, body=GREETING, modern=False)


def test_256_streams_leave_streams_and_time_for_others(site: SecuredSite, tell: Callable[[str], None]) -> None:
    with contextlib.ExitStack() as stack:
        with others_are_served(site, tell):
            opened = [stack.enter_context(closing(_stream(site, "eve"))) for _ in range(256)]
            statuses = [connection.getresponse().status for connection in opened]
        assert (statuses.count(200), set(statuses)) == (STREAMS_PER_CREDENTIAL, {200, 503})
        with closing(_stream(site, "laptop")) as other:
            assert other.getresponse().status == 200


def _stream(site: SecuredSite, token: str) -> HTTPConnection:
    connection = HTTPConnection("127.0.0.1", site.port, timeout=DEADLINE_SECONDS)
    sent = {"Authorization": f"Bearer {site.secrets[token]}", "Accept": "text/event-stream"}
    connection.request("GET", "/api/v1/events", headers=sent)
    return connection


def test_searches_of_many_prefixes_leave_time_for_others(site: SecuredSite, tell: Callable[[str], None]) -> None:
    query = " ".join(f"{sign}*" for sign in "abcdefghijklmnopqrstuvwxyz012345")
    with others_are_served(site, tell), ThreadPoolExecutor(8) as threads:
        wait([threads.submit(_searched, site, query) for _ in range(32)])


def _searched(site: SecuredSite, query: str) -> None:

    with closing(HTTPConnection("127.0.0.1", site.port, timeout=DEADLINE_SECONDS)) as connection:
        sent = {"Authorization": f"Bearer {site.secrets['eve']}"}
        connection.request("GET", f"/api/v1/search?{urlencode({'q': query})}", headers=sent)
        assert connection.getresponse().status < 500


def test_role_files_that_block_or_link_to_themselves_hold_no_one_up(
    site: SecuredSite, tell: Callable[[str], None]
) -> None:
    folder = _folder(site, "hostile")
    (roles := folder / ".task_orchestrator" / "roles").mkdir(parents=True)
    os.mkfifo(roles / "a.yaml")
    (roles / "b.yaml").symlink_to("b.yaml")
    site.client("laptop").call("orchestrator_initialize_session", project_dir=str(folder))
    with others_are_served(site, tell), ThreadPoolExecutor(4) as threads:
        for opened in [threads.submit(_opened, site, folder) for _ in range(4)]:
            opened.result(DEADLINE_SECONDS)


def _opened(site: SecuredSite, folder: Path) -> None:
    client = site.client("eve")
    (answer,) = messages(
        client.open("tools/call", name="orchestrator_initialize_session", arguments={"project_dir": str(folder)})
    )
    assert "result" in answer
