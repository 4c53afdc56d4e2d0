"""The toolset `server` over a pipe: a restart that is asked for by a call, and what the other tools say."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mcp.stdio_client import StdioClient, children, connected, is_alive, said, wait_for


@pytest.fixture
def client(home: Path) -> Iterator[StdioClient]:
    with connected(home, toolsets="all") as client:
        yield client


def _history(home: Path) -> list[dict[str, Any]]:
    with sqlite3.connect(home / "orchestrator.sqlite3") as database:
        database.row_factory = sqlite3.Row
        rows = database.execute("SELECT * FROM orchestrator_site_restart ORDER BY id").fetchall()
    database.close()
    return [dict(row) for row in rows]


def _block(client: StdioClient, folder: Path) -> int:
    call = client.start_call("trial_block", folder=str(folder))
    wait_for(lambda: list(folder.glob("started-*")), "the call")
    return call


def test_a_restart_answers_with_what_was_measured_and_the_next_call_finds_another_process(
    client: StdioClient, home: Path
) -> None:
    before = client.worker()
    done = client.call("orchestrator_restart_server", reason="A new version")
    after = client.call("trial_echo")
    assert done["restarted"] is True
    assert (done["old_pid"], done["pid"]) == (before, after["pid"])
    assert done["version"] == done["old_version"]
    assert 0 < done["start_seconds"] <= done["seconds"]
    assert (done["calls_finished"], done["calls_cut_off"]) == (0, 0)
    wait_for(lambda: not is_alive(before), "the end of the worker before")
    (row,) = wait_for(lambda: _history(home), "the record")
    assert (row["reason"], row["state"], row["is_of_site"]) == ("A new version", "done", 0)
    assert json.loads(row["facts"])["pid"] == after["pid"]


def test_a_restart_waits_for_calls_in_flight_and_counts_them(client: StdioClient, tmp_path: Path) -> None:
    block = _block(client, tmp_path)
    restart = client.start_call("orchestrator_restart_server")
    # The worker before has one thread for short calls, which is taken.
    wait_for(lambda: (client.start_call("trial_echo"), client.waiting())[1], "an answer of the next worker")
    (tmp_path / "release").touch()
    assert said(client.answer_to(block))["released"] is True
    assert said(client.answer_to(restart))["calls_finished"] >= 1


def test_a_restart_that_is_not_graceful_cuts_calls_off_as_transient(
    client: StdioClient, tmp_path: Path, home: Path
) -> None:
    block = _block(client, tmp_path)
    done = client.call("orchestrator_restart_server", graceful=False)
    assert (done["calls_finished"], done["calls_cut_off"]) == (0, 1)
    assert said(client.answer_to(block))["code"] == "transient"
    assert client.call("trial_echo")["pid"] == done["pid"]
    assert wait_for(lambda: _history(home), "the record")[0]["calls_cut_off"] == 1


def test_sessions_and_leases_are_kept_unless_the_caller_asks_otherwise(client: StdioClient, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    first = client.call("trial_session", folder=str(tmp_path / "project"))["session"]
    assert client.call("orchestrator_restart_server")["sessions_ended"] == 0
    assert client.call("trial_session", folder=str(tmp_path / "project"))["session"] == first
    assert client.call("orchestrator_restart_server", preserve_state=False)["sessions_ended"] == 1
    assert client.call("trial_session", folder=str(tmp_path / "project"))["session"] != first


def test_a_version_that_cannot_start_is_reported_and_the_next_attempt_has_to_wait(home: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    with connected(home, toolsets="all", TRIAL_BREAKS=str(broken)) as client:
        before = client.call("trial_echo")["pid"]
        broken.touch()
        for tool in ("orchestrator_reconnect_test", "orchestrator_restart_server"):
            failed = wait_for(
                lambda tool=tool: "RuntimeError: broken" in (said := client.call(tool))["message"] and said, "it"
            )
            assert failed["code"] == "transient"
            assert failed["details"]["retry_after_ms"] > 0
            assert str(tmp_path) not in failed["message"]
        assert client.call("orchestrator_restart_server")["code"] == "transient"
        assert client.call("trial_echo")["pid"] == before
        assert [row["state"] for row in wait_for(lambda: _history(home), "the record")] == ["failed"]


def test_a_reconnect_test_starts_another_process_and_ends_it(client: StdioClient) -> None:
    before = client.worker()
    tried = client.call("orchestrator_reconnect_test")
    assert tried["would_restart"] is True
    assert tried["pid"] != before
    wait_for(lambda: children(client.process.pid) == [before], "its end")
    assert client.call("trial_echo")["pid"] == before


def test_the_health_check_tells_the_process_and_the_checks(client: StdioClient) -> None:
    brief = client.call("orchestrator_health_check")
    assert brief["pid"] == client.worker()
    assert (brief["status"], list(brief["problems"])) == ("degraded", ["worker"])  # no site runs here
    assert brief["calls_in_flight"] == 0
    client.call("orchestrator_restart_server", reason="To see it listed")
    full = wait_for(lambda: (f := client.call("orchestrator_health_check", detail=True)).get("restarts") and f, "it")
    assert full["checks"]["database"] == {"ok": True}
    assert full["restarts"][0]["reason"] == "To see it listed"


def test_before_a_restart_leases_and_uploads_are_compared_with_what_is_stored(
    client: StdioClient, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "project").mkdir()
    client.call("orchestrator_initialize_session", project_dir=str(tmp_path / "project"))
    part = {"title": "One", "description": "Do one", "specialist_type": "tester"}
    client.call("orchestrator_plan_task", description="A job", subtasks=[part])
    task = client.call("orchestrator_execute_subtask")["task_id"]
    begun = client.call("orchestrator_store_artifact", action="begin", task_id=task, file_paths=["a"], text="abc")
    # The call before may still count for an instant after its answer.
    said = wait_for(
        lambda: (s := client.call("orchestrator_shutdown_prepare"))["calls_in_flight"] == 0 and s, "its end"
    )
    assert [lease["task_id"] for lease in said["leases"]] == [task]
    assert said["uploads"] == [{"upload_id": begun["upload_id"], "offset": 3}]
    assert (said["uploads_total"], said["uploads_lost"], said["calls_in_flight"]) == (1, 0, 0)
    client.call("orchestrator_restart_server")
    assert client.call("orchestrator_shutdown_prepare")["leases"] == said["leases"]
    (home / "staging" / begun["upload_id"]).unlink()
    assert client.call("orchestrator_shutdown_prepare")["uploads_lost"] == 1


def test_two_restarts_at_once_are_both_answered(client: StdioClient) -> None:
    calls = [client.start_call("orchestrator_restart_server") for _ in range(2)]
    answers = [said(client.answer_to(call)) for call in calls]
    assert any(answer.get("restarted") for answer in answers)
    assert client.call("trial_echo", text="goes on")["text"] == "goes on"
