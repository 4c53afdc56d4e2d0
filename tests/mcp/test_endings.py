"""However a connection ends, its sessions end and no process is left."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mcp.stdio_client import ROOT, StdioClient, children, connected, environment, is_alive, said, wait_for


def _open_sessions(home: Path) -> int:
    with sqlite3.connect(home / "orchestrator.sqlite3") as database:
        found: int = database.execute("SELECT count(*) FROM tasks_session WHERE ended_at IS NULL").fetchone()[0]
    database.close()
    return found


def _open_session(client: StdioClient, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir(exist_ok=True)
    assert client.call("trial_session", folder=str(tmp_path / "project"))["session"]


def _start_to_block(client: StdioClient, tmp_path: Path) -> int:
    call = client.start_call("trial_block", folder=str(tmp_path))
    wait_for(lambda: list(tmp_path.glob("started-*")), "the call")
    return call


def test_end_of_input_ends_everything(client: StdioClient, home: Path, tmp_path: Path) -> None:
    _open_session(client, tmp_path)
    worker = client.worker()
    assert _open_sessions(home) == 1
    assert client.end() == 0
    assert not is_alive(worker)
    assert _open_sessions(home) == 0


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_ends_everything(client: StdioClient, home: Path, tmp_path: Path, name: str) -> None:
    _open_session(client, tmp_path)
    worker = client.worker()
    client.process.send_signal(getattr(signal, name))
    assert client.process.wait(5) == 0
    assert not is_alive(worker)
    assert _open_sessions(home) == 0


def test_a_killed_proxy_ends_its_worker(client: StdioClient, home: Path, tmp_path: Path) -> None:
    _open_session(client, tmp_path)
    worker = client.worker()
    client.process.kill()
    wait_for(lambda: not is_alive(worker), "the worker's end")
    assert _open_sessions(home) == 0


def test_a_killed_proxy_ends_its_worker_during_a_call(client: StdioClient, home: Path, tmp_path: Path) -> None:
    _open_session(client, tmp_path)
    _start_to_block(client, tmp_path)
    worker = client.worker()
    client.process.kill()
    wait_for(lambda: not is_alive(worker), "the worker's end")
    assert _open_sessions(home) == 0


def test_a_hanging_call_does_not_delay_the_end(client: StdioClient, home: Path, tmp_path: Path) -> None:
    _open_session(client, tmp_path)
    _start_to_block(client, tmp_path)
    worker = client.worker()
    client.process.send_signal(signal.SIGTERM)
    assert client.process.wait(7) == 0
    assert not is_alive(worker)
    assert _open_sessions(home) == 0


def test_a_replaced_worker_leaves_the_sessions_open(client: StdioClient, home: Path, tmp_path: Path) -> None:
    _open_session(client, tmp_path)
    client.kill_worker()
    assert client.call("trial_echo")
    assert _open_sessions(home) == 1
    os.kill(client.worker(), signal.SIGTERM)
    wait_for(lambda: client.errors().count("starting another") == 2, "the second replacement")
    assert client.call("trial_echo")
    assert _open_sessions(home) == 1
    assert client.end() == 0
    assert _open_sessions(home) == 0


def test_the_sessions_end_if_the_worker_is_killed_with_the_connection(
    client: StdioClient, home: Path, tmp_path: Path
) -> None:
    _open_session(client, tmp_path)
    worker = client.worker()
    os.kill(client.process.pid, signal.SIGTERM)
    os.kill(worker, signal.SIGKILL)
    assert client.process.wait(20) == 0
    assert _open_sessions(home) == 0


def test_a_worker_that_is_still_starting_at_the_end_ends_the_sessions(home: Path, tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    with connected(home, TRIAL_STARTS_SLOWLY=str(starts)) as client:
        _open_session(client, tmp_path)
        starts.touch()
        client.kill_worker()
        wait_for(starts.read_text, "the start of the next worker")
        client.process.send_signal(signal.SIGTERM)
        assert client.process.wait(20) == 0
        assert starts.read_text() == "begun\n"
        assert _open_sessions(home) == 0


def test_requests_before_the_end_of_input_are_answered(home: Path) -> None:
    with connected(home, modern=True) as client:
        ids = [client.start_call("trial_echo", text=str(number)) for number in range(20)]
        assert client.end() == 0
        answers = {answer["id"]: said(answer)["text"] for answer in client.rest()}
    assert answers == {id: str(number) for number, id in enumerate(ids)}


def test_a_client_that_closes_the_output_ends_the_server(home: Path) -> None:
    reading, writing = os.pipe()
    with subprocess.Popen(
        [sys.executable, "manage.py", "mcp_serve"],
        cwd=ROOT,
        env=environment(home),
        stdin=subprocess.PIPE,
        stdout=writing,
        stderr=subprocess.DEVNULL,
    ) as proxy:
        os.close(writing)
        os.close(reading)
        assert proxy.stdin
        worker = wait_for(lambda: children(proxy.pid), "a worker")[0]
        proxy.stdin.write(b"garbage\n")
        proxy.stdin.flush()
        assert proxy.wait(10) == 0
        assert not is_alive(worker)
