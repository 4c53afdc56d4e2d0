"""Probes of commands and URLs, including hostile, slow and broken servers."""

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

from orchestrator_site.connect.clients import ConfigFile, Style
from orchestrator_site.connect.probe import NotConnected, probe_command, probe_entry, probe_url
from tests.mcp.stdio_client import is_alive
from tests.site.processes import wait_until

ROOT = Path(__file__).resolve().parents[2]


def error_of(code: str, seconds: float = 20.0) -> NotConnected:
    """Probe a few lines of Python that are no MCP server."""
    with pytest.raises(NotConnected) as raised:
        probe_command(sys.executable, ["-c", code], os.environ, deadline_seconds=seconds)
    return raised.value


def test_our_own_server_is_described_with_its_tools(fresh_home: Path) -> None:
    config_file = ConfigFile(Path("unused"), Style())
    entry = {
        "command": sys.executable,
        "args": [str(ROOT / "manage.py"), "mcp_serve"],
        "env": {"ORCHESTRATOR_HOME": str(fresh_home)},
    }
    summary = probe_entry(entry, config_file, {**os.environ, "ORCHESTRATOR_HOME": "/no/such/home"})
    assert summary.server == "mcp-task-orchestrator"
    assert summary.tools >= 8
    assert 1_000 < summary.size_bytes < 24_000
    assert summary.milliseconds > 0
    assert str(summary.tools) in str(summary)


@pytest.mark.parametrize(
    ("reference", "written"),
    [("${%s}", "${WHERE}"), ("${env:%s}", "${env:WHERE}"), ("$%s", "${WHERE}"), ("$%s", "$WHERE")],
)
def test_variables_are_expanded_as_the_client_does(tmp_path: Path, reference: str, written: str) -> None:
    code = "import os, pathlib; pathlib.Path(os.environ['OUT']).write_text(os.environ['DATABASE_URL'])"
    entry = {
        "command": sys.executable,
        "args": ["-c", code],
        "env": {"DATABASE_URL": written, "OUT": f"{tmp_path}/out"},
    }
    with pytest.raises(NotConnected):
        probe_entry(entry, ConfigFile(Path("unused"), Style(reference=reference)), {**os.environ, "WHERE": "there"})
    assert (tmp_path / "out").read_text() == "there"


def test_variables_that_codex_forwards_are_passed_on(tmp_path: Path) -> None:
    code = f"import os, pathlib; pathlib.Path({str(tmp_path / 'out')!r}).write_text(os.environ['DATABASE_URL'])"
    entry = {"command": sys.executable, "args": ["-c", code], "env_vars": ["DATABASE_URL"]}
    with pytest.raises(NotConnected):
        probe_entry(entry, ConfigFile(Path("unused"), Style()), {**os.environ, "DATABASE_URL": "there"})
    assert (tmp_path / "out").read_text() == "there"


def test_a_missing_command_is_reported() -> None:
    with pytest.raises(NotConnected) as raised:
        probe_command("/no/such/python", [], os.environ)
    assert raised.value.reason == "not_started"
    assert "/no/such/python" in raised.value.message


def test_a_command_that_exits_is_reported_with_its_stderr_but_without_secrets() -> None:
    error = error_of("import sys; sys.exit('no module named x, token=mto_abcdefgh')")
    assert error.reason == "closed"
    assert "no module named x" in error.message
    assert "mto_abcdefgh" not in error.message


def test_other_output_on_stdout_is_reported_at_once() -> None:
    assert error_of("print('Welcome!', flush=True); import time; time.sleep(60)").reason == "bad_message"


def test_a_silent_command_times_out_and_is_killed(tmp_path: Path) -> None:
    code = f"""
import os, pathlib, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(os.getpid()))
time.sleep(600)
"""
    assert error_of(code, seconds=1.0).reason == "timeout"
    assert not is_alive(int((tmp_path / "pid").read_text()))


def test_children_of_a_command_that_exits_are_killed(tmp_path: Path) -> None:
    code = f"""
import pathlib, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(child.pid))
"""
    assert error_of(code, seconds=5.0).reason in ("closed", "timeout")
    wait_until(lambda: not is_alive(int((tmp_path / "pid").read_text())), "the child is killed")


def test_an_error_response_to_initialize_is_passed_on() -> None:
    code = """
import json, sys
request = json.loads(sys.stdin.readline())
print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": {"code": -1, "message": "not today"}}), flush=True)
sys.stdin.readline()
"""
    error = error_of(code)
    assert error.reason == "error"
    assert "not today" in error.message


@pytest.mark.parametrize("entry", [{}, {"command": 7}, {"command": "python", "args": "mcp_serve"}])
def test_an_entry_without_a_command_or_url_is_reported(entry: dict[str, object]) -> None:
    with pytest.raises(NotConnected) as raised:
        probe_entry(entry, ConfigFile(Path("unused"), Style()), os.environ)
    assert raised.value.reason == "bad_entry"


# URLs


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
    ("status", "body", "kind", "reason"),
    [
        (401, b"", "text/plain", "token_rejected"),
        (403, b"", "text/plain", "forbidden"),
        (404, b"", "text/plain", "not_found"),
        (421, b"", "text/plain", "wrong_host"),
        (429, b"", "text/plain", "rate_limited"),
        (302, b"", "text/html", "http_error"),
        (500, b"", "text/html", "http_error"),
        (202, b"", "text/plain", "http_error"),
        (200, b"<html>", "text/html", "not_mcp"),
        (200, b"[]", "application/json", "not_mcp"),
        (200, b"\xff\xff", "application/json", "not_mcp"),
        (200, b'{"jsonrpc": "2.0", "id": 1, "result": {}}', "application/json", "not_mcp"),
        (200, b'data: {"id": 9}\n\n', "text/event-stream", "not_mcp"),
        (200, b": nothing\n\n", "text/event-stream", "closed"),
    ],
)
def test_a_url_that_is_no_mcp_server_is_reported(status: int, body: bytes, kind: str, reason: str) -> None:
    with site(status, body, kind) as url, pytest.raises(NotConnected) as raised:
        probe_url(url, {"Authorization": "Bearer mto_secret"})
    assert raised.value.reason == reason
    assert "mto_secret" not in raised.value.message + raised.value.next


def test_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with site(401, b"") as url, pytest.raises(NotConnected) as raised:
        probe_url(url, {})
    assert raised.value.reason == "token_rejected"


def test_a_url_that_does_not_answer_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(NotConnected) as raised:
        probe_url(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", {}, deadline_seconds=0.5)
    assert raised.value.reason == "timeout"


@pytest.mark.parametrize("host", ["127.0.0.1:1", "nowhere.invalid"])
def test_a_url_that_is_unreachable_is_reported_without_its_password(host: str) -> None:
    with pytest.raises(NotConnected) as raised:
        probe_url(f"http://ada:s3cret@{host}/mcp?key=s3cret", {})
    assert raised.value.reason == "unreachable"
    assert f"http://{host}/mcp" in raised.value.message and "s3cret" not in raised.value.message


def test_a_response_that_never_ends_times_out() -> None:
    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            with contextlib.suppress(OSError):
                while True:
                    connection.sendall(b": still here\n\n")
                    time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=drip, args=(listener,))
        thread.start()
        with pytest.raises(NotConnected) as raised:
            probe_url(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", {}, deadline_seconds=0.5)
        thread.join(20)
    assert raised.value.reason == "timeout"
    assert not thread.is_alive()


def test_an_answer_that_is_not_http_is_reported() -> None:
    def chatter(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"220 mail.example ESMTP\r\n")
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):  # closing with the rest of the request unread would reset the connection
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=chatter, args=(listener,))
        thread.start()
        with pytest.raises(NotConnected) as raised:
            probe_url(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", {})
        thread.join(20)
    assert raised.value.reason == "not_mcp"


@pytest.mark.parametrize(
    "url", ["", "ftp://x/mcp", "http://", "file:///etc/passwd", "http://[::1/mcp", "http://h:999999/mcp"]
)
def test_a_string_that_is_no_http_url_is_reported(url: str) -> None:
    with pytest.raises(NotConnected) as raised:
        probe_url(url, {})
    assert raised.value.reason == "bad_url"


def test_a_header_that_http_cannot_carry_is_reported() -> None:
    with pytest.raises(NotConnected) as raised:
        probe_url("http://127.0.0.1:1/mcp", {"Authorization": "Bearer \n€"})
    assert raised.value.reason == "bad_url"
