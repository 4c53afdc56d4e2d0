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


def test_the_site_answers_when_it_greets_and_ctrl_c_ends_it_with_success(empty_home: Path, tmp_path: Path) -> None:
    with start(tmp_path / "up") as site:
        site.wait_until_greeted()
        assert urlopen(f"{site.address}/sign-in/").status == 200
        assert site.end(signal.SIGINT) < 5
        assert site.process.returncode == 0
        lines = site.err.read_text().splitlines()
        assert [line.partition("supervisor: ")[2].partition(" (")[0] for line in lines[:-1]] == [
            "The web server started",
            "The web server stopped",
        ]
        assert lines[-1] == "Stopped."


def test_the_greeting_names_the_line_that_connects_claude_code(fresh_home: Path, tmp_path: Path) -> None:
    with start(tmp_path / "up") as site:
        site.wait_until_greeted()
        assert f"--scope user task-orchestrator -- {sys.executable} {ROOT / 'manage.py'} mcp_serve" in site.written()
        assert f"--env ORCHESTRATOR_HOME={fresh_home}" in site.written()


@pytest.mark.parametrize("path", ["/stream", "/thread"])
@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_an_open_request_does_not_hold_up_the_end(
    fresh_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, sig: int
) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.site.trial.unending_settings")
    with start(tmp_path / "up") as site:
        site.wait_until_greeted()
        connection = http.client.HTTPConnection(urlsplit(site.address).netloc)
        connection.request("GET", path)
        assert connection.getresponse().read(5) == b"begun"
        assert site.end(sig) < 5
        assert site.process.returncode == 0
        connection.close()


def test_a_port_that_is_taken_is_said_at_once_with_what_to_do(empty_home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = manage("up", "--port", str(port))
    assert refused.returncode == 1
    assert refused.stderr == (
        f"CommandError: Port {port} on 127.0.0.1 is taken; perhaps the site runs there already. "
        f"Look at http://127.0.0.1:{port}/, or start on another port: --port {port + 1}\n"
    )
    assert not (empty_home / "orchestrator.sqlite3").exists()


def test_a_host_that_others_can_reach_is_refused(empty_home: Path) -> None:
    refused = manage("up", "--host", "0.0.0.0", "--port", "0")
    assert refused.returncode == 1
    assert "to this machine only, not on 0.0.0.0" in refused.stderr


def test_others_are_served_plain_http_where_that_is_asked_for_with_a_warning(fresh_home: Path, tmp_path: Path) -> None:
    with start(
        tmp_path / "up", "manage.py", "up", "--host", "0.0.0.0", "--port", "0", "--insecure", "--no-worker"
    ) as site:
        site.wait_until_greeted()
        assert site.address.startswith("http://127.0.0.1:")
        assert complaints(site.err.read_text()) == [
            "The site speaks plain HTTP to other machines: whoever is on the way can read everything.",
            "It answers to this machine's own names only; set ORCHESTRATOR_ALLOWED_HOSTS to others.",
        ]


def test_behind_a_proxy_that_speaks_tls_links_are_its_own_and_plain_http_is_sent_there(
    fresh_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TLS", "true")
    monkeypatch.setenv("ORCHESTRATOR_ALLOWED_HOSTS", "board.example")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    with start(tmp_path / "up", "manage.py", "up", "--port", str(port), "--no-worker") as site:
        wait_until(lambda: "https://board.example/sign-in/" in site.written(), "the greeting")

        def asked(path: str, **headers: str) -> int:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", path, headers={"Host": "board.example", **headers})
            status = connection.getresponse().status
            connection.close()
            return status

        assert asked("/sign-in/") == 301
        assert asked("/sign-in/", **{"X-Forwarded-Proto": "https"}) == 200
        assert asked("/healthz") == asked("/readyz") == 200
        assert complaints(site.err.read_text()) == []


def test_a_data_folder_that_holds_no_database_is_said_in_one_line(empty_home: Path) -> None:
    empty_home.mkdir()
    (empty_home / "orchestrator.sqlite3").write_text("not a database, but long enough to be read as one" * 20)
    refused = manage("up", "--port", "0")
    assert refused.returncode == 1
    assert refused.stderr == (
        "CommandError: The site cannot start: file is not a database. Mend that and start it again.\n"
    )


def test_six_that_start_at_once_on_a_empty_home_all_serve(empty_home: Path, tmp_path: Path) -> None:
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


def test_no_token_stands_in_the_log_when_its_request_fails(fresh_home: Path, tmp_path: Path) -> None:
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
