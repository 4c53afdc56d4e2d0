"""A site that runs serves the assistants of its data folder, and they notice neither its coming nor its going."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from orchestrator_site.asgi.shares import CALLS_PER_CREDENTIAL
from orchestrator_site.kernel import loopback
from orchestrator_site.kernel.introduction import CLIENT_VARIABLES, FOLDER, SOCKET, address, heeded, introduction
from orchestrator_site.mcp.stdio.attached import ATTACHED, is_ours
from orchestrator_site.mcp.stdio.resident import INTRODUCTION_LIMIT
from tests.homes import make_home
from tests.mcp.resident import serving
from tests.mcp.stdio_client import StdioClient, children, connected, environment, is_alive, said, wait_for
from tests.site.processes import Site

CONNECTION = "0123456789abcdef" * 2
SUBTASKS = [{"title": "One", "description": "Do", "specialist_type": "tester"}]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Site]]:
    """A site that all tests of this module may use which leave it running."""
    home = tmp_path_factory.mktemp("shared") / "home"
    with serving(home, CLAUDE_PROJECT_DIR="/of/the/site", TRIAL_FOLDER=str(home.parent)) as site:
        yield home, site


@pytest.fixture
def served(home: Path) -> Iterator[Site]:
    """A site of the test's own."""
    with serving(home) as site:
        yield site


def web_server(site: Site) -> int:
    pids: list[int] = wait_for(lambda: children(site.process.pid), "the web server")
    return pids[0]


def open_sessions(home: Path) -> int:
    with closing(sqlite3.connect(home / "orchestrator.sqlite3")) as database:
        return int(database.execute("SELECT count(*) FROM tasks_session WHERE ended_at IS NULL").fetchone()[0])


def open_session(client: StdioClient, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    assert client.call("trial_session", folder=str(folder))["session"]


# A port, where there can be no Unix socket


@pytest.fixture(scope="module")
def on_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Site]]:
    """A site of a data folder in which another thing has the name of its socket."""
    home = make_home(tmp_path_factory.mktemp("port") / "home")
    (home / FOLDER / SOCKET).mkdir(parents=True)
    with serving(home, TRIAL_FOLDER=str(home.parent)) as site:
        yield home, site


@pytest.mark.parametrize("modern", [False, True])
def test_a_port_serves_assistants_too(on_port: tuple[Path, Site], tmp_path: Path, modern: bool) -> None:
    home, site = on_port
    with connected(home, modern=modern) as client:
        assert client.call("trial_echo", text="x" * 1_000_000)["pid"] == web_server(site)
        assert not client.has_worker()
        open_session(client, tmp_path / "project")
        assert open_sessions(home) == 1
    wait_for(lambda: open_sessions(home) == 0, "the end of the session")


def test_assistants_at_a_port_go_on_after_a_crash_of_the_web_server(on_port: tuple[Path, Site]) -> None:
    with connected(on_port[0]) as client:
        before = client.call("trial_echo")["pid"]
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: said(client.request("tools/call", name="trial_echo", arguments={})).get("pid"), "an answer")


def test_the_secret_of_a_port_is_readable_by_its_user_alone(on_port: tuple[Path, Site]) -> None:
    file = on_port[0] / FOLDER / loopback.FILE
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o700)


HOSTILE = [b"[]", b'"nonce"', b"[" * 50_000, b'{"nonce": [1]}', b'{"nonce": "\\ud800"}', b"\xff", b"{"]


@pytest.mark.parametrize("line", HOSTILE)
def test_a_hostile_first_line_ends_its_own_connection_alone(on_port: tuple[Path, Site], line: bytes) -> None:
    home, site = on_port
    place = loopback.place_in(str(home / FOLDER))
    assert place
    with socket.create_connection((loopback.HOST, place.port), timeout=10) as connection:
        connection.sendall(line + b"\n")
        with suppress(ConnectionResetError):
            assert connection.recv(100) == b""
    assert "Traceback" not in site.err.read_text()
    with connected(home) as client:
        assert not client.has_worker()


@pytest.mark.parametrize("what", ["introduction", "proof", "reflection", "nothing"])
def test_a_port_serves_no_one_without_the_secret(on_port: tuple[Path, Site], what: str) -> None:
    home, _ = on_port
    place = loopback.place_in(str(home / FOLDER))
    assert place
    introduced = introduction(str(home), CONNECTION, "core")
    with socket.create_connection((loopback.HOST, place.port), timeout=10) as connection:
        if what != "introduction":
            connection.sendall(b'{"nonce": "n"}\n')
            answer = json.loads(loopback.line_from(connection))
            assert place.is_proof(answer["proof"], loopback.SITE, "n")
            introduced["proof"] = {"proof": "0" * 64, "reflection": answer["proof"], "nothing": ""}[what]
        connection.sendall(json.dumps(introduced).encode() + b"\n")
        with suppress(ConnectionResetError):
            assert connection.recv(100) == b""


@pytest.mark.parametrize(
    "answer", [b'{"nonce": "n", "proof": "' + b"0" * 64 + b'"}', b"[]", b"[" * 50_000, b'{"proof": null}']
)
def test_an_assistant_says_nothing_to_a_program_that_has_the_port_of_a_site(home: Path, answer: bytes) -> None:
    (home / FOLDER).mkdir(mode=0o700)
    heard: list[bytes] = []

    def pretend(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                with listener.accept()[0] as connection:
                    heard.append(connection.recv(65536))
                    connection.sendall(answer + b"\n")
                    heard.append(connection.recv(65536))

    with socket.create_server((loopback.HOST, 0)) as listener:
        facts = {"port": listener.getsockname()[1], "secret": "s"}
        (home / FOLDER / loopback.FILE).write_text(json.dumps(facts))
        Thread(target=pretend, args=[listener], daemon=True).start()
        with connected(home) as client:
            assert client.call("trial_echo", text="on")["text"] == "on"
            assert client.has_worker()
    assert json.loads(heard[0]).keys() == {"nonce"}
    assert set(heard[1::2]) == {b""}


def test_the_file_of_a_port_ends_with_its_site(home: Path) -> None:
    (home / FOLDER / SOCKET).mkdir(parents=True)
    with serving(home) as site:
        assert (home / FOLDER / loopback.FILE).exists()
        site.end()
    assert not (home / FOLDER / loopback.FILE).exists()


# What travels along


@pytest.mark.parametrize("modern", [False, True])
def test_an_assistant_is_served_without_a_worker(shared: tuple[Path, Site], modern: bool) -> None:
    home, site = shared
    with connected(home, modern=modern) as client:
        facts = client.call("trial_echo", text="hello")
        assert facts["text"] == "hello"
        assert facts["pid"] == web_server(site)
        assert facts["client"] == "raw 1.2"
        assert not client.has_worker()


def test_each_assistant_has_its_own_variables_folder_and_tools(shared: tuple[Path, Site], tmp_path: Path) -> None:
    home, _ = shared
    with (
        connected(home, VSCODE_CWD="/one", SECRET_OF_ONE="x") as one,
        connected(home, ORCHESTRATOR_PROJECT_DIR="/two", toolsets="all") as two,
        connected(home) as three,
    ):
        seen = [client.call("trial_echo") for client in (one, two, three)]
        assert [each.get("environ", {}) for each in seen] == [
            {"VSCODE_CWD": "/one"},
            {"ORCHESTRATOR_PROJECT_DIR": "/two"},
            {},
        ]
        assert {each["directory"] for each in seen} == {str(Path.cwd())}
        assert len({each["connection_id"] for each in seen}) == 3
        tools = [{tool["name"] for tool in client.request("tools/list")["result"]["tools"]} for client in (one, two)]
        assert tools[0] < tools[1]


@pytest.mark.parametrize(
    "differing",
    [
        {"ORCHESTRATOR_STDIO_SCOPES": "read"},
        {"ORCHESTRATOR_LEASE_MINUTES": "5"},
        {"DATABASE_URL": "sqlite:////tmp/none.sqlite3"},
    ],
)
def test_an_assistant_with_other_settings_has_a_worker(shared: tuple[Path, Site], differing: dict[str, str]) -> None:
    with connected(shared[0], **differing) as client:
        assert client.has_worker()
        assert next(iter(differing)) in client.errors()


def test_what_only_the_site_heeds_may_differ(shared: tuple[Path, Site]) -> None:
    with connected(shared[0], ORCHESTRATOR_LOG_LEVEL="ERROR", ORCHESTRATOR_TLS="true") as client:
        assert not client.has_worker()


def test_the_object_store_of_a_site_must_be_the_same() -> None:
    store = {"ORCHESTRATOR_CONTENT_URL": "s3://bucket", "AWS_PROFILE": "one"}
    assert heeded(store) == store
    assert heeded({"AWS_PROFILE": "one", "ORCHESTRATOR_HOME": "/x", "PATH": "/bin", "DATABASE_URL": ""}) == {}
    assert not heeded(dict.fromkeys(CLIENT_VARIABLES, "/x"))


@pytest.mark.parametrize("modern", [False, True])
def test_changes_are_announced(shared: tuple[Path, Site], tmp_path: Path, modern: bool) -> None:
    home, _ = shared
    with (
        connected(home, modern=modern, ORCHESTRATOR_PROJECT_DIR=str(tmp_path)) as watching,
        connected(home, ORCHESTRATOR_PROJECT_DIR=str(tmp_path)) as working,
    ):
        uri = "project://status"
        if modern:
            watching.start("subscriptions/listen", notifications={"resourceSubscriptions": [uri]})
            assert watching.next_message()["method"] == "notifications/subscriptions/acknowledged"
        else:
            watching.request("resources/subscribe", uri=uri)
        working.call("orchestrator_plan_task", description="A job", subtasks=SUBTASKS)
        message = watching.next_message()
        assert message["method"] == "notifications/resources/updated"
        assert message["params"]["uri"] == uri


# Who may come in


def test_only_our_user_can_reach_the_socket(shared: tuple[Path, Site]) -> None:
    folder = shared[0] / FOLDER
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / SOCKET).stat().st_mode) == 0o600


def test_the_process_of_another_user_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = socket.socketpair()
    with one, other:
        assert is_ours(one)
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        assert not is_ours(one)


def facts(home: Path, monkeypatch: pytest.MonkeyPatch, /, **changed: Any) -> bytes:
    given = environment(home)
    for name in ("ORCHESTRATOR_HOME", "DJANGO_SETTINGS_MODULE"):
        monkeypatch.setenv(name, given[name])
    return json.dumps({**introduction(str(home), CONNECTION, "core"), **changed}).encode() + b"\n"


def connect(wire: socket.socket, home: Path) -> None:
    wire.settimeout(30)
    with address(str(home / FOLDER)) as path:
        wire.connect(path)


def says(home: Path, line: bytes) -> bytes:
    """Send a first line and return all of the answer."""
    answer = b""
    with socket.socket(socket.AF_UNIX) as wire:
        connect(wire, home)
        try:
            wire.sendall(line)
            while chunk := wire.recv(4096):
                answer += chunk
                if answer == ATTACHED:
                    break
        except ConnectionError:
            pass
    return answer


@pytest.mark.parametrize(
    "changed",
    [
        {"installation": "1.0 in /elsewhere"},
        {"home": "/elsewhere"},
        {"toolsets": ["core", "secret"]},
        {"toolsets": "core"},
        {"connection_id": "../../etc"},
        {"connection_id": None},
        {"settings": {"DATABASE_URL": "postgres://elsewhere"}},
        {"environ": {"PATH": 1}},
        {"directory_identity": [1, 2]},
        {"directory": "\0"},
    ],
    ids=str,
)
def test_an_introduction_that_does_not_fit_is_refused(
    shared: tuple[Path, Site], monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any]
) -> None:
    home, _ = shared
    with connected(home) as bystander:
        assert says(home, facts(home, monkeypatch)) == ATTACHED
        assert b"orchestrator-refused" in says(home, facts(home, monkeypatch, **changed))
        assert bystander.call("trial_echo", text="still")["text"] == "still"


@pytest.mark.parametrize(
    "line",
    [
        b"not JSON\n",
        b"[]\n",
        b"\xff\xfe\n",
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}\n',
        b"[" * 10_000 + b"\n",
        b"x" * (INTRODUCTION_LIMIT + 1),
        b"\n\n\n" + b"x" * (8 * 1024 * 1024) + b"\n",
    ],
    ids=["words", "list", "bytes", "message", "deep", "long", "very long"],
)
def test_what_is_no_introduction_is_refused(shared: tuple[Path, Site], line: bytes) -> None:
    home, site = shared
    with connected(home) as bystander:
        assert says(home, line) in (b"", says(home, b"{}\n"))
        assert bystander.call("trial_echo", text="still")["text"] == "still"
    assert "Traceback" not in site.err.read_text()


def test_an_assistant_that_reads_nothing_holds_up_only_itself(
    shared: tuple[Path, Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, _ = shared
    with socket.socket(socket.AF_UNIX) as wire, connected(home) as bystander:
        connect(wire, home)
        wire.sendall(facts(home, monkeypatch))
        assert wire.recv(4096) == ATTACHED
        wire.sendall(ATTACHED)
        for id in range(1000):
            body = {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "trial_echo"}}
            body["params"] |= {"arguments": {"text": "x" * 5_000}}  # type: ignore[operator]
            wire.sendall(json.dumps(body).encode() + b"\n")
        for number in range(5):
            assert bystander.call("trial_echo", text=str(number))["text"] == str(number)


@pytest.mark.parametrize("tool", ["trial_block", "trial_block_long"])
def test_calls_that_hang_hold_up_no_other_assistant(shared: tuple[Path, Site], tmp_path: Path, tool: str) -> None:
    home, _ = shared
    folders = [tmp_path / str(number) for number in range(40)]
    free = tmp_path / "free"
    for each in (*folders, free):
        each.mkdir()
    (free / "release").touch()
    with ExitStack() as stack:
        hanging = [stack.enter_context(connected(home)) for _ in range(2)]
        others = [stack.enter_context(connected(home)) for _ in range(8)]
        calls = [
            (client, client.start_call(tool, folder=str(each)))
            for client, each in zip(hanging * 20, folders, strict=True)
        ]
        wait_for(lambda: list(tmp_path.glob("*/started-*")), "the calls")
        for client in others:
            assert client.call("trial_echo", text="on")["text"] == "on"
            assert client.call(tool, folder=str(free))["released"]
        assert len(list(tmp_path.glob("[0-9]*/started-*"))) <= 2 * CALLS_PER_CREDENTIAL
        assert not list(tmp_path.glob("[0-9]*/done-*"))
        for each in folders:
            (each / "release").touch()
        assert all(said(client.answer_to(id))["released"] for client, id in calls)


# The end of an assistant


def test_the_sessions_end_with_the_assistant(shared: tuple[Path, Site], tmp_path: Path) -> None:
    home, _ = shared
    with connected(home) as client:
        open_session(client, tmp_path / "project")
        assert open_sessions(home) == 1
        assert client.end() == 0
        assert open_sessions(home) == 0


def test_the_sessions_of_a_killed_assistant_end(shared: tuple[Path, Site], tmp_path: Path) -> None:
    home, _ = shared
    with connected(home) as client:
        open_session(client, tmp_path / "project")
        client.process.kill()
        wait_for(lambda: open_sessions(home) == 0, "the end of its sessions")


def test_an_assistant_that_ends_during_a_call_is_answered(shared: tuple[Path, Site]) -> None:
    with connected(shared[0], modern=True) as client:
        ids = [client.start_call("trial_echo", text=str(number)) for number in range(20)]
        assert client.end() == 0
        assert {message["id"] for message in client.rest()} == set(ids)


def test_a_call_that_hangs_does_not_keep_the_sessions(served: Site, home: Path, tmp_path: Path) -> None:
    with connected(home) as client:
        open_session(client, tmp_path / "project")
        client.start_call("trial_block", folder=str(tmp_path))
        wait_for(lambda: list(tmp_path.glob("started-*")), "the call")
        client.process.send_signal(signal.SIGTERM)
        assert client.process.wait(20) == 0
        wait_for(lambda: open_sessions(home) == 0, "the end of its sessions")
    (tmp_path / "release").touch()
    with connected(home) as next_one:
        assert next_one.call("trial_echo")["pid"] == web_server(served)


# The coming and going of the site


def test_a_site_that_ends_leaves_its_assistants_to_workers(home: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        site = stack.enter_context(serving(home))
        client = stack.enter_context(connected(home))
        open_session(client, tmp_path / "project")
        before = client.call("trial_echo")
        site.end()
        after = client.call("trial_echo")
        assert after["pid"] in children(client.process.pid)
        assert (before["connection_id"], before["client"]) == (after["connection_id"], after["client"])
        assert open_sessions(home) == 1
        assert not (home / FOLDER / SOCKET).exists()
        assert client.end() == 0
        assert open_sessions(home) == 0


def test_an_assistant_changes_over_to_a_site_that_comes_and_back_when_it_goes(home: Path, tmp_path: Path) -> None:
    with connected(home) as client:
        open_session(client, tmp_path / "project")
        before = client.call("trial_echo")
        assert before["pid"] in children(client.process.pid)
        with serving(home) as site:
            web = web_server(site)
            wait_for(lambda: client.call("trial_echo")["pid"] == web, "the change")
            wait_for(lambda: not children(client.process.pid), "the end of the worker")
            assert open_sessions(home) == 1
            site.end()
        after = client.call("trial_echo")
        assert after["pid"] in children(client.process.pid)
        assert after["connection_id"] == before["connection_id"]
        assert open_sessions(home) == 1
        assert client.end() == 0
        assert open_sessions(home) == 0


def test_the_socket_of_a_killed_site_is_not_waited_for(home: Path) -> None:
    with serving(home) as site:
        site.process.kill()
        wait_for(lambda: not is_alive(site.process.pid), "its death")
    assert (home / FOLDER / SOCKET).exists()
    with connected(home) as client:
        assert client.has_worker()
    with serving(home), connected(home) as client:
        assert not client.has_worker()


def test_an_assistant_does_not_wait_for_a_web_server_that_dies_again_and_again(
    served: Site, home: Path, tmp_path: Path
) -> None:
    with connected(home) as client:
        open_session(client, tmp_path / "project")
        for _ in range(4):
            os.kill(web := web_server(served), signal.SIGKILL)
            wait_for(lambda web=web: not is_alive(web), "its death")
        wait_for(lambda: children(client.process.pid), "a worker")
        wait_for(lambda: client.call("trial_echo")["pid"] == web_server(served), "the return")
        wait_for(lambda: not children(client.process.pid), "the end of the worker")
        assert open_sessions(home) == 1


def test_a_second_site_leaves_the_socket_to_the_first(served: Site, home: Path, tmp_path: Path) -> None:
    identity = (home / FOLDER / SOCKET).stat().st_ino
    with serving(home, folder=tmp_path / "second") as second:
        assert (home / FOLDER / SOCKET).stat().st_ino == identity
        second.end()
    with connected(home) as client:
        assert client.call("trial_echo")["pid"] == web_server(served)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_ten_assistants_survive_the_death_of_the_web_server(
    served: Site, home: Path, tmp_path: Path, name: str
) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(home, modern=bool(number % 2))) for number in range(10)]
        for number, client in enumerate(clients):
            open_session(client, tmp_path / f"project-{number}")
        planned = [client.start_call("orchestrator_plan_task", **plan(number)) for number, client in enumerate(clients)]
        os.kill(web_server(served), getattr(signal, name))
        answers = [said(client.answer_to(id)) for client, id in zip(clients, planned, strict=True)]
        assert {answer.get("code") for answer in answers} <= {None, "transient"}
        assert [client.call("trial_echo", text="on")["text"] for client in clients] == ["on"] * 10
        assert open_sessions(home) == 10
        for number, answer in enumerate(answers):
            assert plans(home, number) in ([0, 1] if "code" in answer else [1])
        assert [client.end() for client in clients] == [0] * 10
        assert open_sessions(home) == 0


def plan(number: int) -> dict[str, Any]:
    return {"description": f"Job {number}", "subtasks": SUBTASKS}


def plans(home: Path, number: int) -> int:
    with closing(sqlite3.connect(home / "orchestrator.sqlite3")) as database:
        asked = "SELECT count(*) FROM tasks_task WHERE parent_id IS NULL AND description = ?"
        return int(database.execute(asked, [f"Job {number}"]).fetchone()[0])


def test_a_restart_of_the_site_carries_its_assistants_over(served: Site, home: Path, tmp_path: Path) -> None:
    with connected(home, toolsets="core,server") as client, connected(home) as bystander:
        open_session(client, tmp_path / "project")
        before = web_server(served)
        facts = client.call("orchestrator_restart_server", reason="Trying")
        assert (facts["restarted"], facts["old_pid"]) == (True, before)
        for each in (client, bystander):
            wait_for(lambda each=each: each.call("trial_echo")["pid"] == facts["pid"], "the change")
            assert not each.has_worker()
        assert client.call("orchestrator_health_check", detail=True)["restarts"]
        assert open_sessions(home) == 1
        assert client.end() == 0
        assert open_sessions(home) == 0


def test_a_call_in_flight_is_finished_while_the_site_is_restarted(served: Site, home: Path, tmp_path: Path) -> None:
    with connected(home) as client:
        open_session(client, tmp_path / "project")
        before = web_server(served)
        call = client.start_call("trial_block", folder=str(tmp_path))
        wait_for(lambda: list(tmp_path.glob("started-*")), "the call")
        served.process.send_signal(signal.SIGHUP)
        wait_for(lambda: client.call("trial_echo")["pid"] != before, "the change")
        (tmp_path / "release").touch()
        assert said(client.answer_to(call)) == {"released": True, "pid": before}
        assert not client.has_worker()
        assert open_sessions(home) == 1


def test_a_hang_up_lets_an_assistant_connect_to_the_site_again(served: Site, home: Path, tmp_path: Path) -> None:
    with connected(home) as client:
        open_session(client, tmp_path / "project")
        client.process.send_signal(signal.SIGHUP)
        wait_for(lambda: restarts_of(home), "the record of the change")
        assert client.call("trial_echo")["pid"] == web_server(served)
        assert not client.has_worker()
        assert open_sessions(home) == 1


def restarts_of(home: Path) -> int:
    with closing(sqlite3.connect(home / "orchestrator.sqlite3")) as database:
        return int(database.execute("SELECT count(*) FROM orchestrator_site_restart").fetchone()[0])


def test_a_begun_call_is_not_done_again(served: Site, home: Path, tmp_path: Path) -> None:
    with connected(home) as client:
        call = client.start_call("trial_block", folder=str(tmp_path))
        wait_for(lambda: list(tmp_path.glob("started-*")), "the call")
        os.kill(web_server(served), signal.SIGKILL)
        assert said(client.answer_to(call))["code"] == "transient"
        assert client.call("trial_echo", text="on")["text"] == "on"
        assert len(list(tmp_path.glob("started-*"))) == 1
