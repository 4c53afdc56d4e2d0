"""The toolset `isolation`: runs are started, watched, waited for, steered and merged, in small answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.db import connections

from orchestrator_site.asgi.event_hub import EventHub
from orchestrator_site.kernel.identity import Principal, Scope
from orchestrator_site.mcp import registry, serializers
from tasks.agents import run_log
from tasks.agents.choices import LIVE, AskState, RunState
from tasks.agents.models import Isolation, Run
from tasks.agents.places import log_of, make_folder_of
from tasks.agents.services.control import kill
from tasks.agents.services.transitions import move
from tasks.agents.tools import monitor
from tasks.choices import Status
from tasks.identity.actor import Actor
from tasks.models import Task
from tests.agents.rows import make_ask, make_attempt, make_run, make_supervisor, switch_on
from tests.assistants import Assistant

pytestmark = pytest.mark.django_db
START, SPAWN = "execute_subtask_isolated", "spawn_isolated_session"
MONITOR, MERGE = "monitor_isolated_execution", "merge_isolated_work"
ADA = Actor(kind="person", name="ada")
LONG = "漢" * 5_000


@pytest.fixture
def ids(ada: Assistant) -> dict[str, str]:
    """A plan of two subtasks in a project that allows runs."""
    ids = ada.plan("A", "B")
    switch_on(_task(ids["A"]).project)
    make_supervisor()
    return ids


def _task(public_id: str) -> Task:
    return Task.objects.select_related("project").get(public_id=public_id)


def _run(public_id: str, state: str = RunState.RUNNING, **fields: Any) -> Run:
    return make_run(_task(public_id), state, **fields)


def _may(assistant: Assistant, *scopes: Scope) -> Assistant:
    assistant.caller.principal = Principal("eve", frozenset(scopes))
    return assistant


def test_all_tools_fit_into_what_every_context_pays() -> None:
    sizes: dict[str, int] = {}
    for tool in registry.tools(["all"]):
        size = len(serializers.described(tool).model_dump_json(by_alias=True, exclude_none=True).encode())
        sizes[tool.toolset] = sizes.get(tool.toolset, 0) + size
    assert sizes["isolation"] <= 2_000
    assert sum(sizes.values()) <= 20_000


# Start


def test_subtasks_are_queued_and_the_answer_comes_at_once(ada: Assistant, ids: dict[str, str]) -> None:
    answer = ada.call(START, task_ids=[ids["A"], ids["B"]], max_turns=5, max_cost_usd=1.5, timeout_minutes=3)
    assert [row["task_id"] for row in answer["runs"]] == [ids["A"], ids["B"]]
    runs = Run.objects.order_by("pk")
    assert [run.public_id for run in runs] == [row["run_id"] for row in answer["runs"]]
    assert {run.state for run in runs} == {RunState.QUEUED}
    assert runs[0].limits == answer["limits"] == {"minutes": 3, "idle_minutes": 10, "turns": 5, "cost_usd": "1.5"}
    assert ids["plan"] in answer["next"]


def test_a_plan_means_its_subtasks(ada: Assistant, ids: dict[str, str]) -> None:
    assert ada.call(START, parent_task_id=ids["plan"])["runs_total"] == 2


def test_runs_of_several_plans_are_waited_for_together(ada: Assistant, ids: dict[str, str]) -> None:
    other = ada.plan("C")["C"]
    following = ada.call(START, task_ids=[ids["A"], other])["next"]
    assert ids["plan"] not in following
    assert ada.call(MONITOR)["total"] == 2


def test_the_alias_takes_one_task_and_the_same_arguments(ada: Assistant, ids: dict[str, str]) -> None:
    answer = ada.call(SPAWN, task_id=ids["A"], workspace="persistent", communication="file", model="m", base="main")
    run = Run.objects.get()
    assert answer["runs"] == [{"run_id": run.public_id, "task_id": ids["A"]}]
    assert (run.workspace, run.communication, run.model, run.base) == ("persistent", "file", "m", "main")


def test_a_start_sent_again_with_its_key_starts_nothing_more(ada: Assistant, ids: dict[str, str]) -> None:
    first = ada.call(START, task_ids=[ids["A"]], idempotency_key="k")
    assert ada.call(START, task_ids=[ids["A"]], idempotency_key="k") == {**first, "replayed": True}
    assert Run.objects.count() == 1


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({}, "invalid"),
        ({"task_ids": ["task_00000000"]}, "not_found"),
        ({"task_ids": ["x"] * 101}, "invalid"),
        ({"agent": "unheard"}, "invalid"),
        ({"max_cost_usd": -1}, "invalid"),
        ({"max_cost_usd": float("nan")}, "invalid"),
        ({"model": "m" * 101}, "invalid"),
        ({"base": "a\nb"}, "invalid"),
        ({"workspace": "elsewhere"}, "invalid"),
    ],
)
def test_what_cannot_be_started_is_refused(
    ada: Assistant, ids: dict[str, str], given: dict[str, Any], code: str
) -> None:
    named = given and {"task_ids": [ids["A"]], **given}
    assert ada.refused(START, **named)["code"] == code
    assert not Run.objects.exists()


def test_a_task_has_one_run_at_a_time(ada: Assistant, ids: dict[str, str]) -> None:
    first = ada.call(START, task_ids=[ids["A"]])["runs"][0]["run_id"]
    again = ada.refused(START, task_ids=[ids["A"]])
    assert (again["code"], again["details"]["run_id"]) == ("conflict", first)


def test_nothing_is_started_where_isolation_is_off_and_no_tool_switches_it_on(
    ada: Assistant, ids: dict[str, str]
) -> None:
    Isolation.objects.update(is_on=False)
    assert ada.refused(START, task_ids=[ids["A"]])["code"] == "not_ready"
    for tool in registry.tools(["all"]):
        assert not {"is_on", "isolation", "rights", "unjailed"} & tool.arguments.model_fields.keys()


def test_a_start_needs_the_scope_write(ada: Assistant, ids: dict[str, str]) -> None:
    assert _may(ada, Scope.READ, Scope.REVIEW).refused(START, task_ids=[ids["A"]])["code"] == "forbidden"


# Status and progress


@pytest.mark.parametrize("state", RunState)
def test_every_state_has_a_status_with_a_next_step(ada: Assistant, ids: dict[str, str], state: str) -> None:
    run = _run(ids["A"], state, reason="Why", facts={"files_total": 3}, head_commit="c" * 40, branch="b")
    answer = ada.call(MONITOR, run_id=run.public_id)
    assert (answer["state"], answer["reason"], answer["task_id"]) == (state, "Why", ids["A"])
    assert answer["next"]
    assert ("action='wait'" in answer["next"]) == (state in LIVE and state != RunState.ASKING)


def test_a_task_means_its_live_run_or_its_newest(ada: Assistant, ids: dict[str, str]) -> None:
    first = _run(ids["A"], RunState.FAILED)
    second = _run(ids["A"], RunState.FAILED)
    assert ada.call(MONITOR, task_id=ids["A"])["run_id"] == second.public_id
    Run.objects.filter(pk=first.pk).update(state=RunState.RUNNING, ended_at=None)
    assert ada.call(MONITOR, task_id=ids["A"])["run_id"] == first.public_id


def test_a_plan_means_the_newest_run_of_each_subtask(ada: Assistant, ids: dict[str, str]) -> None:
    _run(ids["A"], RunState.FAILED)
    newest = _run(ids["A"], RunState.SUCCEEDED)
    live = _run(ids["B"])
    answer = ada.call(MONITOR, task_id=ids["plan"])
    assert answer["counts"] == {"succeeded": 1, "running": 1}
    assert [row["run_id"] for row in answer["runs"]] == [live.public_id, newest.public_id]


def test_without_a_name_it_is_what_runs_in_the_project(ada: Assistant, ids: dict[str, str]) -> None:
    _run(ids["A"], RunState.FAILED)
    live = _run(ids["B"])
    assert [row["run_id"] for row in ada.call(MONITOR)["runs"]] == [live.public_id]


def test_an_open_ask_is_in_the_status(ada: Assistant, ids: dict[str, str]) -> None:
    run = _run(ids["A"], RunState.ASKING)
    ask = make_ask(run)
    make_ask(run, state=AskState.DENIED)
    answer = ada.call(MONITOR, run_id=run.public_id)
    assert answer["asks"] == [{"ask": ask.pk, "tool": "Bash", "question": "make test"}]
    assert answer["asks_total"] == 1


def test_a_question_of_the_agent_is_named_with_what_to_do(ada: Assistant, ids: dict[str, str]) -> None:
    run = _run(ids["A"], RunState.FAILED, reason="It asks: Which one?")
    Task.objects.filter(pk=run.task_id).update(status=Status.BLOCKED, reason="Which?", is_ready=False)
    assert "unblock" in ada.call(MONITOR, run_id=run.public_id)["next"]


def test_progress_tells_numbers(ada: Assistant, ids: dict[str, str]) -> None:
    run = _run(ids["A"], turns=7, tokens_in=100, tokens_out=20, context_used=50, context_size=200, cost_usd="0.25")
    make_attempt(run)
    answer = ada.call(MONITOR, run_id=run.public_id, action="progress")
    assert (answer["turns"], answer["tokens_in"], answer["context_size"], answer["cost_usd"]) == (7, 100, 200, 0.25)
    assert answer["attempt"] == 1


def test_progress_of_a_plan_sums_up(ada: Assistant, ids: dict[str, str]) -> None:
    _run(ids["A"], RunState.SUCCEEDED, cost_usd="0.25", context_peak=10, turns=2)
    _run(ids["B"], cost_usd="0.5", context_peak=30, turns=3)
    answer = ada.call(MONITOR, task_id=ids["plan"], action="progress")
    assert (answer["runs"], answer["cost_usd"], answer["context_peak"], answer["turns"]) == (2, 0.75, 30, 5)


def test_runs_of_another_project_are_not_there(ada: Assistant, ids: dict[str, str], tmp_path: Path) -> None:
    run = _run(ids["A"])
    stranger = Assistant(tmp_path)
    stranger.call("initialize_session")
    for name, more in ((MONITOR, {}), (MONITOR, {"action": "kill"}), (MERGE, {})):
        assert stranger.refused(name, run_id=run.public_id, **more)["code"] == "not_found"


# Logs


def _log(run: Run, *words: str) -> None:
    make_folder_of(run)
    run_log.append(log_of(run), ({"kind": "said", "text": text} for text in words))


def test_logs_are_read_by_cursor_to_their_end(ada: Assistant, ids: dict[str, str]) -> None:
    run = _run(ids["A"])
    words = [f"word {number} " + "x" * 60 for number in range(40)]
    _log(run, *words)
    found: list[str] = []
    answer: dict[str, Any] = {"cursor": 0, "at_end": False}
    while not answer["at_end"]:
        answer = ada.call(MONITOR, run_id=run.public_id, action="logs", cursor=answer["cursor"])
        assert answer["entries"]
        found += [entry["text"] for entry in answer["entries"]]
    assert found == words


def test_without_a_cursor_the_newest_are_shown_and_the_cursor_waits_for_more(
    ada: Assistant, ids: dict[str, str]
) -> None:
    run = _run(ids["A"])
    _log(run, *(f"{number} " + "x" * 100 for number in range(40)))
    answer = ada.call(MONITOR, run_id=run.public_id, action="logs")
    assert answer["entries"][-1]["text"].startswith("39 ")
    _log(run, "one more")
    more = ada.call(MONITOR, run_id=run.public_id, action="logs", cursor=answer["cursor"])
    assert [entry["text"] for entry in more["entries"]] == ["one more"]


def test_a_cursor_beyond_the_end_has_nothing(ada: Assistant, ids: dict[str, str]) -> None:
    run = _run(ids["A"], RunState.FAILED)
    _log(run, "a")
    assert "entries" not in ada.call(MONITOR, run_id=run.public_id, action="logs", cursor=10**30)
    assert ada.call(MONITOR, run_id=run.public_id, action="wait", cursor=10**30)["changed"] is False


# Wait


@contextmanager
def _beside(act: Callable[[], object]) -> Iterator[None]:
    """Do something once the wait has looked for the first time."""

    def run() -> None:
        act()
        connections.close_all()

    thread = Thread(target=run)
    yield thread.start()
    thread.join()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("which", ["run_id", "task_id", "plan"])
def test_a_wait_returns_on_the_first_change(ada: Assistant, ids: dict[str, str], which: str) -> None:
    run = _run(ids["A"])
    _run(ids["B"])
    named = {"run_id": run.public_id} if which == "run_id" else {"task_id": ids["A" if which == "task_id" else "plan"]}
    cursor = ada.call(MONITOR, **named)["cursor"]
    with _beside(lambda: move(Run.objects.get(pk=run.pk), RunState.ASKING, actor=ADA)):
        answer = ada.call(MONITOR, action="wait", cursor=cursor, **named)
    assert answer["changed"] == ([run.public_id] if which == "plan" else True)
    assert answer["cursor"] > cursor
    if which != "plan":
        assert answer["state"] == RunState.ASKING


def _ends(run: Run, state: RunState) -> None:
    for each in (RunState.COLLECTING, state):
        move(run, each, actor=ADA)


@pytest.mark.django_db(transaction=True)
def test_a_wait_passes_over_changes_that_call_for_nothing(ada: Assistant, ids: dict[str, str]) -> None:
    run = _run(ids["A"])
    cursor = ada.call(MONITOR)["cursor"]
    move(run, RunState.STOPPING, actor=ADA)
    with _beside(lambda: _ends(run, RunState.FAILED)):
        answer = ada.call(MONITOR, run_id=run.public_id, action="wait", cursor=cursor)
    assert (answer["changed"], answer["state"]) == (True, RunState.FAILED)


@pytest.mark.django_db(transaction=True)
def test_a_wait_for_a_plan_passes_over_successes_until_all_are_done(ada: Assistant, ids: dict[str, str]) -> None:
    run, other = (_run(ids[name], RunState.STOPPING) for name in "AB")
    cursor = ada.call(MONITOR, task_id=ids["plan"])["cursor"]
    _ends(run, RunState.SUCCEEDED)
    with _beside(lambda: _ends(other, RunState.SUCCEEDED)):
        answer = ada.call(MONITOR, task_id=ids["plan"], action="wait", cursor=cursor)
    assert (answer["counts"], answer["changed"]) == ({"succeeded": 2}, sorted([run.public_id, other.public_id]))


def test_a_wait_misses_nothing_after_its_cursor(ada: Assistant, ids: dict[str, str]) -> None:
    run = _run(ids["A"])
    cursor = ada.call(MONITOR, run_id=run.public_id)["cursor"]
    move(run, RunState.ASKING, actor=ADA)
    answer = ada.call(MONITOR, run_id=run.public_id, action="wait", cursor=cursor)
    assert (answer["changed"], answer["state"]) == (True, RunState.ASKING)


def test_a_wait_for_whatever_lives_sees_its_end(ada: Assistant, ids: dict[str, str]) -> None:
    run = _run(ids["A"], RunState.QUEUED)
    _run(ids["B"])
    cursor = ada.call(MONITOR)["cursor"]
    kill(run=run, actor=ADA)
    answer = ada.call(MONITOR, action="wait", cursor=cursor)
    assert (answer["changed"], answer["total"]) == ([run.public_id], 1)


def test_changes_of_other_runs_end_no_wait(
    ada: Assistant, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, other = _run(ids["A"]), _run(ids["B"])
    monkeypatch.setattr(monitor, "POLL_SECONDS", 0)
    cursor = ada.call(MONITOR)["cursor"]
    move(other, RunState.ASKING, actor=ADA)
    answer = ada.call(MONITOR, run_id=run.public_id, action="wait", cursor=cursor, seconds=1)
    assert answer["changed"] is False
    assert answer["cursor"] > cursor


def test_a_wait_for_what_has_ended_returns_at_once(ada: Assistant, ids: dict[str, str]) -> None:
    run = _run(ids["A"], RunState.FAILED)
    assert ada.call(MONITOR, run_id=run.public_id, action="wait")["state"] == RunState.FAILED
    assert ada.call(MONITOR, task_id=ids["plan"], action="wait")["counts"] == {"failed": 1}


def test_a_wait_does_not_hold_up_the_end_of_the_server(
    ada: Assistant, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _run(ids["A"])
    monkeypatch.setattr(EventHub, "is_over", True)
    assert ada.call(MONITOR, run_id=run.public_id, action="wait")["changed"] is False


def test_a_wait_is_short_enough_for_every_client(ada: Assistant, ids: dict[str, str]) -> None:
    assert ada.refused(MONITOR, action="wait", seconds=51)["code"] == "invalid"


# Acting on a run


def test_a_run_is_killed(ada: Assistant, ids: dict[str, str]) -> None:
    queued, at_work = _run(ids["A"], RunState.QUEUED), _run(ids["B"])
    assert ada.call(MONITOR, run_id=queued.public_id, action="kill")["state"] == RunState.KILLED
    assert ada.call(MONITOR, task_id=ids["B"], action="kill")["stopping"] is True
    at_work.refresh_from_db()
    assert at_work.stop == RunState.KILLED


def test_a_run_is_resumed_with_a_message(ada: Assistant, ids: dict[str, str]) -> None:
    run = _run(ids["A"], RunState.INTERRUPTED)
    answer = ada.call(MONITOR, run_id=run.public_id, action="resume", text="Go on with B.")
    assert answer["state"] == RunState.QUEUED
    assert run.messages.get().text == "Go on with B."


def test_an_agent_gets_a_message_once_however_often_it_is_sent(ada: Assistant, ids: dict[str, str]) -> None:
    run = _run(ids["A"])
    given = {"run_id": run.public_id, "action": "message", "text": "Use cents.", "idempotency_key": "k"}
    first = ada.call(MONITOR, **given)
    assert ada.call(MONITOR, **given) == {**first, "replayed": True}
    assert run.messages.get().written_by == "ada"


def test_an_ask_is_allowed_or_denied(ada: Assistant, ids: dict[str, str]) -> None:
    run = _run(ids["A"], RunState.ASKING)
    first, second = make_ask(run), make_ask(run)
    assert ada.call(MONITOR, run_id=run.public_id, action="answer", allow=True)["answer"] == "allowed"
    given = {"run_id": run.public_id, "action": "answer", "ask": second.pk, "allow": False, "text": "No network."}
    assert ada.call(MONITOR, **given)["answer"] == "denied"
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state, second.reason) == (AskState.ALLOWED, AskState.DENIED, "No network.")


def test_only_review_answers_an_ask(ada: Assistant, ids: dict[str, str]) -> None:
    run = _run(ids["A"], RunState.ASKING)
    ask = make_ask(run)
    given = {"run_id": run.public_id, "action": "answer", "allow": True}
    assert _may(ada, Scope.READ, Scope.WRITE).refused(MONITOR, **given)["code"] == "forbidden"
    ask.refresh_from_db()
    assert ask.state == AskState.OPEN


@pytest.mark.parametrize("action", ["kill", "resume", "message", "answer"])
def test_readers_watch_and_do_nothing_else(ada: Assistant, ids: dict[str, str], action: str) -> None:
    run = _run(ids["A"])
    make_ask(run)
    reader = _may(ada, Scope.READ)
    assert reader.call(MONITOR, run_id=run.public_id)["state"] == RunState.RUNNING
    given = {"action": action, "text": "x", "allow": True}
    assert reader.refused(MONITOR, run_id=run.public_id, **given)["code"] == "forbidden"


@pytest.mark.parametrize(
    ("state", "given", "code"),
    [
        (RunState.FAILED, {"action": "kill"}, "conflict"),
        (RunState.RUNNING, {"action": "resume"}, "conflict"),
        (RunState.SUCCEEDED, {"action": "resume"}, "conflict"),
        (RunState.TAMPERED, {"action": "resume"}, "conflict"),
        (RunState.RUNNING, {"action": "message"}, "invalid"),
        (RunState.RUNNING, {"action": "message", "text": "a\x00b"}, "invalid"),
        (RunState.FAILED, {"action": "message", "text": "Hello"}, "conflict"),
        (RunState.RUNNING, {"action": "answer"}, "invalid"),
        (RunState.RUNNING, {"action": "answer", "allow": True}, "not_found"),
        (RunState.RUNNING, {"action": "answer", "allow": True, "ask": 10**30}, "not_found"),
        (RunState.RUNNING, {"action": "explode"}, "invalid"),
    ],
)
def test_what_a_state_does_not_allow_is_refused(
    ada: Assistant, ids: dict[str, str], state: str, given: dict[str, Any], code: str
) -> None:
    run = _run(ids["A"], state)
    assert ada.refused(MONITOR, run_id=run.public_id, **given)["code"] == code


@pytest.mark.parametrize("action", ["logs", "kill", "resume", "message", "answer"])
def test_what_is_for_one_run_is_refused_for_a_plan(ada: Assistant, ids: dict[str, str], action: str) -> None:
    _run(ids["A"])
    for named in ({}, {"task_id": ids["plan"]}):
        assert ada.refused(MONITOR, action=action, **named)["code"] == "invalid"


# Sizes


def test_every_answer_stays_under_a_kilobyte(ada: Assistant) -> None:
    titles = [f"T{number}" for number in range(60)]
    ids = ada.plan(*titles)
    switch_on(_task(ids["plan"]).project)
    make_supervisor()
    started = ada.send(START, parent_task_id=ids["plan"])
    run = Run.objects.filter(task__public_id=ids["T0"]).get()
    long = {"reason": LONG, "branch": "漢" * 200, "model": "m" * 100, "agent_version": "v" * 64}
    Run.objects.update(**long, context_peak=2**40, tokens_in=2**40, tokens_cached=2**40, context_size=2**40)
    Run.objects.filter(pk=run.pk).update(state=RunState.ASKING)
    for _ in range(5):
        make_ask(run, tool="t" * 200, question=LONG)
    _log(run, *[LONG] * 30)
    one = {"run_id": run.public_id}
    answers = [
        started,
        *(ada.send(MONITOR, **one, action=action) for action in ("status", "progress", "logs", "message", "kill")),
        *(ada.send(MONITOR, **one, action=action, text="Hello") for action in ("message", "kill")),
        ada.send(MONITOR, **one, action="logs", cursor=0),
        ada.send(MONITOR, **one, action="answer", allow=True),
        *(ada.send(MONITOR, task_id=ids["plan"], action=action) for action in ("status", "progress")),
        ada.send(MONITOR, task_id=ids["plan"], action="wait", cursor=0),
        ada.send(MONITOR),
    ]
    assert [len(answer.text.encode()) for answer in answers if len(answer.text.encode()) > 1024] == []


def test_a_run_that_is_killed_by_another_is_seen(ada: Assistant, ids: dict[str, str]) -> None:
    run = _run(ids["A"], RunState.QUEUED)
    cursor = ada.call(MONITOR, run_id=run.public_id)["cursor"]
    kill(run=run, actor=ADA)
    answer = ada.call(MONITOR, run_id=run.public_id, action="wait", cursor=cursor)
    assert (answer["changed"], answer["state"]) == (True, RunState.KILLED)
