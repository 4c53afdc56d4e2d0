"""`manage.py up` takes over a new version without refusing a request."""

from __future__ import annotations

import os
import pty
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.mcp.http_client import FULL, HttpClient, messages
from tests.mcp.secured import SecuredSite, secured
from tests.mcp.stdio_client import DEADLINE_SECONDS, is_alive, wait_for
from tests.site.person import TOKEN, Person, sign_in
from tests.site.processes import ROOT, manage
from tests.site.test_supervisor import child

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="the system has no signal for it")

TOKENS = {"laptop": FULL, "owner": {"scopes": ["admin"]}}
SERVES = "the one before finishes its requests"


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Where this file is, no new web server can start."""
    return tmp_path / "broken"


@pytest.fixture
def site(tmp_path: Path, broken: Path) -> Iterator[SecuredSite]:
    with secured(tmp_path, TOKENS, TRIAL_BREAKS=str(broken), ORCHESTRATOR_TOOLSETS="all") as site:
        yield site


def _hang_up(site: SecuredSite) -> int:
    """Ask for a restart, and return the web server that goes."""
    before = child(site.process, "web server")
    os.kill(site.process.process.pid, signal.SIGHUP)
    return before


def restart(site: SecuredSite) -> None:
    before, seen = _hang_up(site), site.errors().count(SERVES)
    wait_for(lambda: site.errors().count(SERVES) > seen, "the next web server")
    wait_for(lambda: not is_alive(before), "the end of the one before")


class Steady(Thread):
    """A client that calls without pause, and keeps what failed."""

    def __init__(self, client: HttpClient) -> None:
        super().__init__()
        self.client = client
        self.pids: set[int] = set()
        self.calls = 0
        self.failed: list[object] = []
        self.is_over = False

    def run(self) -> None:
        while not self.is_over:
            try:
                self.pids.add(self.client.call("trial_echo")["pid"])
                self.calls += 1
            except Exception as problem:  # noqa: BLE001 - whatever it is, the test shows it
                self.failed.append(problem)
                return


@pytest.mark.parametrize(
    "clients, times", [(8, 3), pytest.param(16, 20, marks=[pytest.mark.storm, pytest.mark.timeout(900)])]
)
def test_no_request_is_refused_while_the_site_restarts(site: SecuredSite, clients: int, times: int) -> None:
    steady = [Steady(site.client("laptop")) for _ in range(clients)]
    for each in steady:
        each.start()
    try:
        for _ in range(times):
            restart(site)
    finally:
        for each in steady:
            each.is_over = True
            each.join(DEADLINE_SECONDS)
    assert [each.failed for each in steady] == [[]] * clients
    assert len(set.union(*(each.pids for each in steady))) == times + 1
    history = site.ask("SELECT state, reason, calls_cut_off FROM orchestrator_site_restart")
    assert history == [("done", "signal", 0)] * times


@pytest.mark.parametrize("modern", [False, True])
def test_a_call_in_flight_is_finished_by_the_web_server_that_began_it(
    site: SecuredSite, tmp_path: Path, modern: bool
) -> None:
    answers: list[dict[str, Any]] = []
    client = site.client("laptop", modern=modern)
    call = Thread(target=lambda: answers.append(client.call("trial_block", folder=str(tmp_path))))
    with closing(_idle(site)) as idle:
        call.start()
        wait_for(lambda: list(tmp_path.glob("started-*")), "the call")
        before = _hang_up(site)
        wait_for(lambda: SERVES in site.errors(), "the next web server")
        wait_for(lambda: site.client("laptop").call("trial_echo")["pid"] != before, "an answer of it")
        assert idle.sock.recv(1) == b""  # it has waited for those who had nothing in flight
    (tmp_path / "release").touch()
    call.join(DEADLINE_SECONDS)
    assert answers == [{"released": True, "pid": before}]
    wait_for(lambda: not is_alive(before), "its end")
    assert len(list(tmp_path.glob("started-*"))) == 1


def _idle(site: SecuredSite) -> HTTPConnection:
    connection = _connection(site)
    connection.request("GET", "/healthz")
    connection.getresponse().read()
    return connection


def test_a_web_server_that_cannot_start_leaves_the_one_before(site: SecuredSite, broken: Path) -> None:
    client = site.client("owner")
    before = client.call("trial_echo")["pid"]
    broken.touch()
    for tool in ("orchestrator_restart_server", "orchestrator_reconnect_test"):
        assert client.call(tool)["code"] == "transient"
    assert client.call("trial_echo")["pid"] == before
    assert [state for (state,) in site.ask("SELECT state FROM orchestrator_site_restart")] == ["failed"]
    broken.unlink()
    assert client.call("orchestrator_restart_server")["restarted"] is True
    assert site.client("owner").call("trial_echo")["pid"] != before


@pytest.mark.parametrize("modern", [False, True])
def test_a_caller_restarts_the_site_and_learns_what_was_measured(site: SecuredSite, modern: bool) -> None:
    before = site.client("owner").call("trial_echo")["pid"]
    done = site.client("owner", modern=modern).call("orchestrator_restart_server", reason="A new version")
    after = site.client("owner", modern=modern).call("trial_echo")["pid"]
    assert (done["old_pid"], done["pid"]) == (before, after)
    assert 0 < done["start_seconds"] <= done["seconds"]
    assert site.ask("SELECT who, reason FROM orchestrator_site_restart")[0][1] == "A new version"


def test_a_caller_without_admin_restarts_nothing(site: SecuredSite) -> None:
    client = site.client("laptop")
    for tool in ("orchestrator_restart_server", "orchestrator_reconnect_test"):
        assert client.call(tool)["code"] == "forbidden"
    assert SERVES not in site.errors()


def test_a_reconnect_test_leaves_the_web_server_as_it_is(site: SecuredSite) -> None:
    client = site.client("owner")
    before = client.call("trial_echo")["pid"]
    assert client.call("orchestrator_reconnect_test")["would_restart"] is True
    assert client.call("trial_echo")["pid"] == before
    assert site.ask("SELECT count(*) FROM orchestrator_site_restart") == [(0,)]


def test_streams_end_whole_and_resume_from_the_last_event(site: SecuredSite) -> None:
    with closing(_connection(site)) as first, closing(_connection(site)) as second, closing(_connection(site)) as third:
        stream = _events(site, first)
        seen = next(line for line in stream if line.startswith(b"id:")).split()[1].decode()
        restart(site)
        stream.read()  # a stream that was cut off would raise
        headers = {"Authorization": f"Bearer {site.secrets['owner']}", "Content-Type": "application/json"}
        second.request("POST", "/api/v1/projects", b'{"name":"Later"}', headers)
        assert second.getresponse().status == 201
        assert any(b"create_project" in line for line in _events(site, third, seen))


def _connection(site: SecuredSite) -> HTTPConnection:
    return HTTPConnection("127.0.0.1", site.port, timeout=DEADLINE_SECONDS)


def _events(site: SecuredSite, connection: HTTPConnection, after: str = "") -> HTTPResponse:
    headers = {"Authorization": f"Bearer {site.secrets['owner']}", "Accept": "text/event-stream"}
    connection.request("GET", "/api/v1/events", headers=headers | ({"Last-Event-ID": after} if after else {}))
    return connection.getresponse()


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_session_of_the_older_protocol_goes_on_in_the_next_web_server(
    site: SecuredSite, tmp_path: Path, is_killed: bool
) -> None:
    client = site.client("laptop", modern=False)
    session = client.call("orchestrator_initialize_session", project_dir=str(tmp_path))["session_id"]
    part = {"title": "One", "description": "Do one", "specialist_type": "tester"}
    plan = client.call("orchestrator_plan_task", description="A job", subtasks=[part])
    task = plan["subtasks"][0]["task_id"]
    held = client.call("orchestrator_execute_subtask", task_id=task)
    before = client.call("trial_echo")["pid"]
    if is_killed:
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: not is_alive(before), "its end")
    else:
        restart(site)
    later = client.sibling()
    assert later.call("trial_echo")["pid"] != before
    assert later.call("orchestrator_initialize_session")["session_id"] == session
    work = {"summary": "Done.", "detailed_work": "All of it.", "next_action": "complete"}
    done = later.call("orchestrator_complete_subtask", task_id=task, lease_number=held["lease_number"], **work)
    assert done["artifact_info"]


def test_requests_of_a_session_that_come_together_open_it_once(site: SecuredSite) -> None:
    client = site.client("laptop", modern=False)
    restart(site)
    pids: list[int] = []
    calls = [Thread(target=lambda: pids.append(client.sibling().call("trial_echo")["pid"])) for _ in range(8)]
    for each in calls:
        each.start()
    for each in calls:
        each.join(DEADLINE_SECONDS)
    assert len(pids) == 8


def test_a_stream_of_the_bridge_ends_whole(site: SecuredSite) -> None:
    stream = site.client("laptop").open("subscriptions/listen", notifications={"toolsListChanged": True})
    assert next(messages(stream))["method"] == "notifications/subscriptions/acknowledged"
    restart(site)
    stream.read()  # a stream that was cut off would raise


def test_the_command_restarts_the_site(site: SecuredSite, monkeypatch: pytest.MonkeyPatch) -> None:
    before = child(site.process, "web server")
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(site.home))
    done = manage("restart", "--reason", "A new version")
    assert done.returncode == 0, done.stderr
    after = child(site.process, "web server")
    assert after != before and f"(process {after})" in done.stdout
    assert site.ask("SELECT reason FROM orchestrator_site_restart") == [("A new version",)]


def test_the_command_says_that_nothing_runs(fresh_home: Path) -> None:
    failed = manage("restart")
    assert failed.returncode == 1
    assert failed.stderr.startswith("CommandError: ") and failed.stderr.count("\n") == 1


def owner_at_maintenance(site: SecuredSite) -> Person:
    person = sign_in(manage("sign_in_link", "--address", site.process.address).stdout.split()[-1])
    person.open("/", None)
    person.open("/sample/", {"csrfmiddlewaretoken": TOKEN.findall(person.page)[0]})
    person.open("/projects/sample/maintenance/")
    return person


def test_the_button_restarts_the_site_and_the_next_web_server_answers(site: SecuredSite) -> None:
    person, before = owner_at_maintenance(site), child(site.process, "web server")
    person.send("/restart/", reason="  A new version ")
    after = child(site.process, "web server")
    assert after != before and person.address.endswith("/projects/sample/maintenance/")
    assert "note success" in person.page and "A new version" in person.page.partition('id="restarts"')[2]
    history = site.ask("SELECT reason, state, is_of_site, calls_cut_off FROM orchestrator_site_restart")
    assert history == [("A new version", "done", 1, 0)]
    wait_for(lambda: not is_alive(before), "the end of the web server before")


def test_the_button_says_why_the_site_was_not_restarted(site: SecuredSite, broken: Path) -> None:
    person, before = owner_at_maintenance(site), child(site.process, "web server")
    broken.touch()
    person.send("/restart/", reason="")
    assert "note error" in person.page and is_alive(before)
    assert site.ask("SELECT state FROM orchestrator_site_restart") == [("failed",)]


def test_the_button_without_the_token_of_its_form_restarts_nothing(site: SecuredSite) -> None:
    person = owner_at_maintenance(site)
    with pytest.raises(HTTPError, match="403"):
        person.open("/restart/", {"reason": "Forged"})
    assert site.ask("SELECT count(*) FROM orchestrator_site_restart") == [(0,)]


def test_jobs_go_on_in_another_worker(tmp_path: Path) -> None:
    with secured(tmp_path, TOKENS, command=("manage.py", "up", "--port", "0", "--workers", "1")) as site:
        before = child(site.process, "worker")
        restart(site)
        assert child(site.process, "worker") != before
        wait_for(lambda: not is_alive(before), "the end of the worker before")


def test_a_site_in_a_terminal_ends_with_it(fresh_home: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "manage.py", "up", "--port", "0", "--no-worker"])
    shown = b""
    while b"mcp_serve" not in shown:
        shown += os.read(terminal, 4096)
    os.close(terminal)
    wait_for(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid, "its end")
