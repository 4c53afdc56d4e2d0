"""The costs of tool calls are counted by several processes at once, and while the database is busy."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from orchestrator_site.kernel.identity import Principal
from orchestrator_site.mcp import dispatch, metering, registry
from orchestrator_site.mcp.metering import Meter
from tasks.models import Session, ToolUse
from tasks.services.caller import Caller
from tasks.services.tool_use import Use, add_uses
from tests.assistants import Assistant
from tests.factories import make_project, make_session
from tests.mcp.secured import secured
from tests.mcp.stdio_client import ROOT, StdioClient, connected, environment, wait_for

PLAN, STATUS, EXECUTE = (f"orchestrator_{name}" for name in ("plan_task", "get_status", "execute_subtask"))
ROUNDS, SESSIONS = 60, 3
ADD = """
import sys, django
django.setup()
from datetime import datetime, timezone
from tasks.services.tool_use import Use, add_uses
for _ in range({rounds}):
    now = datetime.now(timezone.utc)
    uses = {{(key, tool): Use(now, now, calls=1, errors=1, bytes_sent=7) for key in {keys} for tool in ("a", "b")}}
    assert sum(map(len, add_uses(uses))) == len(uses)
"""


def _rows(home: Path) -> dict[str, dict[str, Any]]:
    """What is stored, added up by tool."""
    with closing(sqlite3.connect(home / "orchestrator.sqlite3", timeout=20)) as database:
        database.row_factory = sqlite3.Row
        asked = (
            "SELECT tool, SUM(calls) calls, SUM(errors) errors, SUM(repaired) repaired, SUM(bytes_received) received, "
            "SUM(bytes_sent) sent, MAX(last_error) last_error FROM tasks_tooluse GROUP BY tool"
        )
        return {row["tool"]: dict(row) for row in database.execute(asked)}


def _open(client: StdioClient, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    client.call("orchestrator_initialize_session", project_dir=str(folder))


@pytest.mark.parametrize("modern", [False, True])
def test_calls_are_counted_with_bytes_received_and_sent(home: Path, tmp_path: Path, modern: bool) -> None:
    subtask = {"title": "A", "description": "é", "specialist_type": "implementer", "task_id": "a"}
    asked = {"description": "A job", "subtasks": [subtask]}
    with connected(home, modern=modern) as client:
        _open(client, tmp_path / "work")
        answer = client.answer_to(client.start_call(PLAN, **asked))
        assert client.end() == 0
    found = _rows(home)[PLAN]
    text = answer["result"]["content"][0]["text"]
    assert (found["calls"], found["errors"], found["repaired"]) == (1, 0, 1)
    assert found["sent"] == len(text.encode())
    arguments = len(json.dumps(asked).encode())
    assert arguments < found["received"] < arguments + 500  # the request around them


def test_an_invalid_call_counts_for_the_session_of_its_connection_once_there_is_one(home: Path, tmp_path: Path) -> None:
    with connected(home) as client:
        client.call(STATUS, wrong="argument")
        _open(client, tmp_path / "work")
        client.call(EXECUTE, task_id=7, wrong="argument")
        client.end()
    found = _rows(home)
    assert set(found) == {EXECUTE, "orchestrator_initialize_session"}
    assert (found[EXECUTE]["errors"], found[EXECUTE]["last_error"]) == (1, "invalid")


def test_two_servers_at_once_count_every_call_once(home: Path, tmp_path: Path) -> None:
    with connected(home) as one, connected(home) as two:
        for client in (one, two):
            _open(client, tmp_path / "work")
        talks = [Thread(target=lambda c=client: [c.call(STATUS) for _ in range(ROUNDS)]) for client in (one, two)]
        for talk in talks:
            talk.start()
        for talk in talks:
            talk.join()
        assert [one.end(), two.end()] == [0, 0]
    assert _rows(home)[STATUS]["calls"] == 2 * ROUNDS


def test_counts_are_written_while_a_connection_is_open_and_survive_a_killed_worker(home: Path, tmp_path: Path) -> None:
    with connected(home) as client:
        _open(client, tmp_path / "work")
        wait_for(lambda: _rows(home), "the counts")
        client.kill_worker()
        client.call(STATUS)
        client.end()
    assert _rows(home)[STATUS]["calls"] == 1
    assert _rows(home)["orchestrator_initialize_session"]["calls"] == 1


def test_calls_over_http_are_counted_in_both_eras_and_written_at_the_end(tmp_path: Path) -> None:
    with secured(tmp_path, {"laptop": {"scopes": ["write"]}}) as site:
        project = tmp_path / "work"
        project.mkdir()
        for modern in (False, True):
            client = site.client("laptop", modern=modern)
            opened = client.call("orchestrator_initialize_session", project_dir=str(project))
            client.call(STATUS, session_id=opened["session_id"])
        site.hang_up()
        site.process.end()
        found = _rows(site.home)
    assert {tool: row["calls"] for tool, row in found.items()} == {STATUS: 2, "orchestrator_initialize_session": 2}


def test_two_processes_can_add_to_the_same_rows(home: Path, tmp_path: Path) -> None:
    with connected(home) as client:
        for number in range(SESSIONS):
            _open(client, tmp_path / f"work-{number}")
        client.end()
    with closing(sqlite3.connect(home / "orchestrator.sqlite3")) as database:
        keys = [key for (key,) in database.execute("SELECT id FROM tasks_session")]
    script = ADD.format(rounds=ROUNDS, keys=keys)
    given = environment(home, trial=False)
    adders = [subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env=given) for _ in range(2)]
    assert [adder.wait(60) for adder in adders] == [0, 0]
    rows = _rows(home)
    expected = 2 * ROUNDS * SESSIONS
    assert [(rows[tool]["calls"], rows[tool]["errors"], rows[tool]["sent"]) for tool in "ab"] == [
        (expected, expected, 7 * expected)
    ] * 2


# The meter by itself


@pytest.fixture
def session() -> Session:
    return make_session(make_project("ledger"))


def _caller(session: Session | None) -> Caller:
    caller = Caller(Principal("ada"), connection_id="one")
    caller.worked_in = session.pk if session else None
    return caller


def _note(meter: Meter, session: Session | None, tool: str = "plan", error: str = "") -> None:
    meter.note(_caller(session), tool, 9, "né", error=error, is_repaired=False)


@pytest.mark.django_db
def test_counts_are_kept_while_the_database_is_busy(
    session: Session, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    meter = Meter()
    _note(meter, session)

    def busy(*_: object) -> None:
        raise OperationalError("database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(metering, "add_uses", busy)
        meter.flush()
    assert "kept for later" in caplog.text
    _note(meter, session, error="conflict")
    meter.flush()
    meter.flush()
    found = ToolUse.objects.get()
    assert (found.calls, found.errors, found.last_error) == (2, 1, "conflict")
    assert (found.bytes_received, found.bytes_sent) == (2 * 9, 2 * 3)


@pytest.mark.django_db
def test_calls_of_a_deleted_session_are_dropped(session: Session) -> None:
    gone = make_session(session.project)
    meter = Meter()
    _note(meter, gone)
    _note(meter, session)
    gone.delete()
    meter.flush()
    assert ToolUse.objects.get().session_id == session.pk


@pytest.mark.django_db
def test_times_only_widen_whoever_writes_last(session: Session) -> None:
    now = timezone.now()
    for moment in (now, now - timedelta(seconds=5), now - timedelta(seconds=2)):
        list(add_uses({(session.pk, "plan"): Use(moment, moment, calls=1)}))
    found = ToolUse.objects.get()
    assert (found.first_at, found.last_at, found.calls) == (now - timedelta(seconds=5), now, 3)


def test_counts_kept_for_a_dead_database_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metering, "MOST_KEPT", 2)
    meter = Meter()
    for tool in ("one", "two", "three", "one"):
        _note(meter, Session(pk=1), tool)
    assert {key[1]: use.calls for key, use in meter._uses.items()} == {"one": 2, "two": 1}


@pytest.mark.django_db
def test_a_busy_database_barely_delays_the_end_of_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    free = Event()
    monkeypatch.setattr(Meter, "flush", lambda _: free.wait(30))
    began = monotonic()
    Meter().flush_and_go()
    free.set()
    assert monotonic() - began < metering.LAST_FLUSH_SECONDS + 5


def test_counting_needs_no_query(ada: Assistant, django_assert_num_queries: Any) -> None:
    (tool,) = [each for each in registry.tools(["all"]) if each.name == STATUS]
    meter = Meter()
    metered = dispatch.run(tool, {}, ada.caller, meter)
    with django_assert_num_queries(0):
        meter.note(ada.caller, STATUS, 9, metered.text, error="", is_repaired=False)
    meter.flush()
    assert ToolUse.objects.get().calls == 2
