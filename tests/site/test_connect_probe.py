"""Trying a command or an address, also where what answers is hostile, slow or broken."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from orchestrator_site.connect.check import try_entry
from orchestrator_site.connect.clients import Place, Style
from orchestrator_site.connect.probe import NotConnected
from orchestrator_site.connect.probe_http import probe_address
from orchestrator_site.connect.probe_stdio import probe_command
from tests.mcp.stdio_client import is_alive

ROOT = Path(__file__).resolve().parents[2]


def python(code: str, seconds: float = 20.0) -> str:
    """Probe a few lines of Python, and return the refusal."""
    with pytest.raises(NotConnected) as refused:
        probe_command(sys.executable, ["-c", code], os.environ, deadline_seconds=seconds)
    return refused.value.message


def test_our_own_bridge_is_seen_with_its_tools(fresh_home: Path) -> None:
    place = Place(Path("unused"), Style())
    entry = {
        "command": sys.executable,
        "args": [str(ROOT / "manage.py"), "mcp_serve"],
        "env": {"ORCHESTRATOR_HOME": str(fresh_home)},
    }
    seen = try_entry(entry, place, {**os.environ, "ORCHESTRATOR_HOME": "/no/such/home"})
    assert seen.server == "mcp-task-orchestrator"
    assert seen.tools >= 8
    assert 1_000 < seen.size_bytes < 24_000
    assert seen.milliseconds > 0
    assert f"{seen.tools} tools" in str(seen)


@pytest.mark.parametrize(
    ("reference", "written"),
    [("${%s}", "${WHERE}"), ("${env:%s}", "${env:WHERE}"), ("$%s", "${WHERE}"), ("$%s", "$WHERE")],
)
def test_a_variable_is_filled_in_as_the_client_does(tmp_path: Path, reference: str, written: str) -> None:
    code = "import os, pathlib; pathlib.Path(os.environ['OUT']).write_text(os.environ['DATABASE_URL'])"
    entry = {
        "command": sys.executable,
        "args": ["-c", code],
        "env": {"DATABASE_URL": written, "OUT": f"{tmp_path}/out"},
    }
    with pytest.raises(NotConnected):
        try_entry(entry, Place(Path("unused"), Style(reference=reference)), {**os.environ, "WHERE": "there"})
    assert (tmp_path / "out").read_text() == "there"


def test_a_variable_that_codex_forwards_arrives(tmp_path: Path) -> None:
    code = f"import os, pathlib; pathlib.Path({str(tmp_path / 'out')!r}).write_text(os.environ['DATABASE_URL'])"
    entry = {"command": sys.executable, "args": ["-c", code], "env_vars": ["DATABASE_URL"]}
    with pytest.raises(NotConnected):
        try_entry(entry, Place(Path("unused"), Style()), {**os.environ, "DATABASE_URL": "there"})
    assert (tmp_path / "out").read_text() == "there"


def test_a_command_that_is_not_there_is_said() -> None:
    with pytest.raises(NotConnected, match="cannot be started: No such file"):
        probe_command("/no/such/python", [], os.environ)


def test_a_command_that_ends_is_said_with_its_last_words_and_without_secrets() -> None:
    message = python("import sys; sys.exit('no module named x, token=mto_abcdefgh')")
    assert "ended before" in message
    assert "no module named x" in message
    assert "mto_abcdefgh" not in message


def test_a_command_that_chatters_is_said() -> None:
    assert "no message" in python("print('Welcome!', flush=True); import time; time.sleep(60)")


def test_a_command_that_says_nothing_is_given_up_in_time_and_ended(tmp_path: Path) -> None:
    code = f"""
import os, pathlib, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(os.getpid()))
time.sleep(600)
"""
    assert "not answered in time" in python(code, seconds=1.0)
    assert not is_alive(int((tmp_path / "pid").read_text()))


def test_an_error_instead_of_a_greeting_is_passed_on() -> None:
    code = """
import json, sys
request = json.loads(sys.stdin.readline())
print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": {"code": -1, "message": "not today"}}), flush=True)
sys.stdin.readline()
"""
    assert "initialize was refused: not today" in python(code)


@pytest.mark.parametrize("entry", [{}, {"command": 7}, {"command": "python", "args": "mcp_serve"}])
def test_an_entry_that_names_nothing_is_said(entry: dict[str, object]) -> None:
    with pytest.raises(NotConnected, match="neither a command nor an address"):
        try_entry(entry, Place(Path("unused"), Style()), os.environ)


# Addresses


@contextmanager
def site(status: int, body: bytes, kind: str = "application/json", pause: float = 0.0) -> Iterator[str]:
    """Serve one answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(pause)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/mcp"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (401, b"", "text/plain", "the token is not accepted"),
        (403, b"", "text/plain", "the token may not do this"),
        (404, b"", "text/plain", "no bridge at this address"),
        (302, b"", "text/html", "it answered 302"),
        (500, b"", "text/html", "it answered 500"),
        (200, b"<html>", "text/html", "is no bridge"),
        (200, b"[]", "application/json", "is no bridge"),
        (200, b"\xff\xff", "application/json", "is no bridge"),
        (200, b'{"id": 1, "result": {}}', "application/json", "without a list of tools"),
        (200, b'data: {"id": 9}\n\n', "text/event-stream", "ended without an answer"),
    ],
)
def test_an_address_that_is_no_bridge_is_said(status: int, body: bytes, kind: str, words: str) -> None:
    with site(status, body, kind) as url, pytest.raises(NotConnected, match=words) as refused:
        probe_address(url, {"Authorization": "Bearer mto_secret"})
    assert "mto_secret" not in refused.value.message + refused.value.next


def test_an_address_that_does_not_answer_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(NotConnected, match="timed out"):
            probe_address(f"http://127.0.0.1:{port}/mcp", {}, deadline_seconds=0.5)
    with pytest.raises(NotConnected, match=rf"^Nothing answers at http://127\.0\.0\.1:{port}/mcp: "):
        probe_address(f"http://127.0.0.1:{port}/mcp", {})
    with pytest.raises(NotConnected, match=r"^Nothing answers at http://nowhere\.invalid/mcp: "):
        probe_address("http://ada:s3cret@nowhere.invalid/mcp", {})


def test_an_answer_that_drips_is_given_up_in_time() -> None:
    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            with contextlib.suppress(OSError):
                while True:
                    connection.sendall(b"data: {}\n\n")
                    time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=drip, args=(listener,))
        thread.start()
        with pytest.raises(NotConnected, match="does not end"):
            probe_address(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", {}, deadline_seconds=0.5)
        thread.join(20)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    "url", ["", "ftp://x/mcp", "http://", "file:///etc/passwd", "http://[::1/mcp", "http://h:999999/mcp"]
)
def test_what_is_no_address_is_said(url: str) -> None:
    with pytest.raises(NotConnected, match="is no address"):
        probe_address(url, {})
