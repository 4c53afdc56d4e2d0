"""`manage.py up`, as the process that a person starts."""

from __future__ import annotations

import http.client
import signal
import socket
import sqlite3
import sys
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from tests.site.processes import ROOT, complaints, manage, start, wait_until


def test_the_site_answers_once_it_greets_and_ctrl_c_stops_it(empty_home: Path, tmp_path: Path) -> None:
    with start(tmp_path / "up") as site:
        site.wait_until_greeted()
        assert urlopen(f"{site.address}/sign-in/").status == 200
        site.end(signal.SIGINT)
        assert site.process.returncode == 0
        *events, last = site.err.read_text().splitlines()
        assert len(events) == 2 and all(" INFO orchestrator_site.up.supervisor: " in event for event in events)
        assert last == "Stopped."


def test_the_greeting_has_the_command_that_connects_claude_code(fresh_home: Path, tmp_path: Path) -> None:
    with start(tmp_path / "up") as site:
        site.wait_until_greeted()
        assert f"--scope user task-orchestrator -- {sys.executable} {ROOT / 'manage.py'} mcp_serve" in site.written()
        assert f"--env ORCHESTRATOR_HOME={fresh_home}" in site.written()


@pytest.mark.parametrize("path", ["/stream", "/thread"])
@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_an_open_request_does_not_prevent_the_exit(
    fresh_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, sig: int
) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.site.trial.unending_settings")
    with start(tmp_path / "up") as site:
        site.wait_until_greeted()
        connection = http.client.HTTPConnection(urlsplit(site.address).netloc)
        connection.request("GET", path)
        assert connection.getresponse().read(5) == b"begun"
        site.end(sig)
        assert site.process.returncode == 0
        connection.close()


def test_a_port_in_use_fails_at_once_and_names_another(empty_home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        failed = manage("up", "--port", str(port))
    assert failed.returncode == 1
    assert failed.stderr.startswith("CommandError: ") and failed.stderr.count("\n") == 1
    assert f"--port {port + 1}" in failed.stderr
    assert not (empty_home / "orchestrator.sqlite3").exists()


def test_a_host_that_others_can_reach_fails(empty_home: Path) -> None:
    failed = manage("up", "--host", "0.0.0.0", "--port", "0")
    assert failed.returncode == 1
    assert "--insecure" in failed.stderr


def test_insecure_serves_other_machines_with_a_warning(fresh_home: Path, tmp_path: Path) -> None:
    with start(
        tmp_path / "up", "manage.py", "up", "--host", "0.0.0.0", "--port", "0", "--insecure", "--no-worker"
    ) as site:
        site.wait_until_greeted()
        assert site.address.startswith("http://127.0.0.1:")
        warning, names = complaints(site.err.read_text())
        assert "HTTP" in warning
        assert "ORCHESTRATOR_ALLOWED_HOSTS" in names


def test_behind_a_tls_proxy_links_are_its_own_and_plain_http_redirects_to_it(
    fresh_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TLS", "true")
    monkeypatch.setenv("ORCHESTRATOR_ALLOWED_HOSTS", "board.example")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    with start(tmp_path / "up", "manage.py", "up", "--port", str(port), "--no-worker") as site:
        wait_until(lambda: "https://board.example/sign-in/" in site.written(), "the greeting")

        def status_of(path: str, **headers: str) -> int:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", path, headers={"Host": "board.example", **headers})
            status = connection.getresponse().status
            connection.close()
            return status

        assert status_of("/sign-in/") == 301
        assert status_of("/sign-in/", **{"X-Forwarded-Proto": "https"}) == 200
        assert status_of("/healthz") == status_of("/readyz") == 200
        assert complaints(site.err.read_text()) == []


def test_a_file_that_is_not_a_database_fails_with_one_line(empty_home: Path) -> None:
    empty_home.mkdir()
    (empty_home / "orchestrator.sqlite3").write_text("not a database, but long enough to be read as one" * 20)
    failed = manage("up", "--port", "0")
    assert failed.returncode == 1
    assert failed.stderr.startswith("CommandError: ") and failed.stderr.count("\n") == 1
    assert "file is not a database" in failed.stderr


def test_six_sites_that_start_together_on_an_empty_home_all_serve(empty_home: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        sites = [stack.enter_context(start(tmp_path / f"up{number}")) for number in range(6)]
        for site in sites:
            site.wait_until_greeted()
        assert [urlopen(f"{site.address}/sign-in/").status for site in sites] == [200] * 6
        assert len({site.link for site in sites}) == 6
        assert [complaints(site.err.read_text()) for site in sites] == [[]] * 6
    with sqlite3.connect(empty_home / "orchestrator.sqlite3") as database:
        assert database.execute("SELECT count(*) FROM auth_user").fetchone() == (1,)
        assert database.execute("SELECT count(*) FROM orchestrator_site_signinlink").fetchone() == (6,)
    database.close()


def test_a_failed_sign_in_does_not_log_its_token(fresh_home: Path, tmp_path: Path) -> None:
    with start(tmp_path / "up") as site:
        site.wait_until_greeted()
        connection = http.client.HTTPConnection(urlsplit(site.address).netloc)
        connection.request("POST", urlsplit(site.link).path)  # without the form's own token, so it is refused
        assert connection.getresponse().status == 403
        connection.close()
        token = site.link.rstrip("/").rsplit("/", 1)[1]
        site.end()
        assert "/sign-in/…" in site.err.read_text()
        assert token not in site.err.read_text()
