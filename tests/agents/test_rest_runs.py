"""/api/v1/runs and /projects/{project}/runs: start, list, read, steer and sum up runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from orchestrator_site.rest.openapi import document
from tasks.agents.choices import LIVE, AskState, RunState
from tasks.agents.models import Isolation, Run
from tasks.models import Project, Task
from tests.agents.rows import make_ask, make_attempt, make_run, make_supervisor, switch_on
from tests.factories import make_plan, make_project, make_task
from tests.rest import Rest, rest, signed_in_rest

pytestmark = pytest.mark.django_db
UNKNOWN = "run_ffffffffff"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    make_supervisor()
    project = make_project("ledger")
    switch_on(project, tmp_path)
    return project


@pytest.fixture
def task(project: Project) -> Task:
    return make_task(project)


@pytest.fixture
def ada() -> Rest:
    return rest()


def _ids(page: dict[str, Any]) -> list[str]:
    return [row["run_id"] for row in page["results"]]


# Start


def test_runs_are_queued_for_all_tasks_below_a_plan(ada: Rest, project: Project) -> None:
    plan = make_plan(project, 3)
    response = ada.send("POST", "/projects/ledger/runs", {"task_ids": [plan.public_id], "max_turns": 5})
    assert response.status_code == 201
    runs = response.json()["results"]
    assert {run["state"] for run in runs} == {"queued"}
    assert response["Location"] == f"/api/v1/runs?plan={plan.public_id}"
    assert _ids(ada.get(response["Location"])) == _ids(response.json())[::-1]
    assert {run.limits["turns"] for run in Run.objects.all()} == {5}


def test_a_run_is_started_with_what_was_asked_for(ada: Rest, task: Task) -> None:
    wished = {
        "model": "sonnet", "workspace": "persistent", "communication": "file", "base": "main", "timeout_minutes": 3,
        "idle_minutes": 2, "max_cost_usd": 1.25,
    }  # fmt: skip
    response = ada.send("POST", "/projects/ledger/runs", {"task_ids": [task.public_id], **wished})
    run = ada.get(response["Location"])
    for name in ("model", "workspace", "communication"):
        assert run[name] == wished[name]
    assert run["limits"] == {"minutes": 3, "idle_minutes": 2, "turns": 60, "cost_usd": 1.25}
    assert Run.objects.get().user_id is not None


def test_a_start_is_done_once_for_each_key(ada: Rest, task: Task) -> None:
    body = {"task_ids": [task.public_id]}
    first = ada.send("POST", "/projects/ledger/runs", body, Idempotency_Key="k")
    again = ada.send("POST", "/projects/ledger/runs", body, Idempotency_Key="k")
    assert again["Idempotency-Replayed"] == "true"
    assert (again.json(), again["Location"]) == (first.json(), first["Location"])
    assert Run.objects.count() == 1


def test_a_person_starts_runs_too(task: Task) -> None:
    person = signed_in_rest(name="grace", is_superuser=True)
    person.client.handler.enforce_csrf_checks = False
    made = person.post("/projects/ledger/runs", {"task_ids": [task.public_id]})
    assert made["results"][0]["started_by"] == "grace"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "invalid"),
        ({"task_ids": []}, 400, "invalid"),
        ({"task_ids": ["x"] * 101}, 400, "invalid"),
        ({"task_ids": ["task_00000000"]}, 404, "not_found"),
        ({"agent": "unheard"}, 400, "invalid"),
        ({"max_cost_usd": "1"}, 400, "invalid"),
        ({"max_cost_usd": 0}, 400, "invalid"),
        ({"max_turns": 0}, 400, "invalid"),
        ({"model": "m" * 101}, 400, "invalid"),
        ({"is_on": True}, 400, "invalid"),
    ],
)
def test_what_cannot_be_started_is_refused(ada: Rest, task: Task, body: dict[str, Any], status: int, code: str) -> None:
    named = body if "task_ids" in body or not body else {"task_ids": [task.public_id], **body}
    assert ada.refused(status, "POST", "/projects/ledger/runs", named)["code"] == code
    assert not Run.objects.exists()


def test_nothing_is_started_where_isolation_is_off(ada: Rest, task: Task) -> None:
    Isolation.objects.update(is_on=False)
    problem = ada.refused(409, "POST", "/projects/ledger/runs", {"task_ids": [task.public_id]})
    assert problem["code"] == "not_ready"


def test_a_task_has_one_run_at_a_time(ada: Rest, task: Task) -> None:
    run = make_run(task)
    problem = ada.refused(409, "POST", "/projects/ledger/runs", {"task_ids": [task.public_id]})
    assert problem["details"]["run_id"] == run.public_id


# List and read


def test_runs_are_listed_by_project_task_plan_state_and_agent(ada: Rest, project: Project) -> None:
    plan = make_plan(project, 2)
    first, second = Task.objects.filter(parent=plan).order_by("position")
    failed = make_run(first, RunState.FAILED)
    running = make_run(second, RunState.RUNNING, agent="codex")
    other = make_run(make_task(make_project("shop")), RunState.RUNNING)
    assert _ids(ada.get("/runs")) == [other.public_id, running.public_id, failed.public_id]
    for query, expected in {
        "project=ledger": [running, failed],
        f"task={first.public_id}": [failed],
        f"plan={plan.public_id}": [running, failed],
        "state=failed": [failed],
        "state=failed,running": [other, running, failed],
        "agent=codex": [running],
        "ordering=queued_at": [failed, running, other],
    }.items():
        assert _ids(ada.get(f"/runs?{query}")) == [run.public_id for run in expected], query
    assert ada.refused(400, "GET", "/runs?state=dreaming")["code"] == "invalid"


def test_a_list_has_pages(ada: Rest, project: Project) -> None:
    runs = [make_run(make_task(project)) for _ in range(5)]
    page = ada.get("/runs?limit=2&ordering=queued_at")
    seen = _ids(page)
    while page["next"]:
        page = ada.get(page["next"])
        seen += _ids(page)
    assert seen == [run.public_id for run in runs]


def test_a_list_costs_the_same_however_long_it_is(
    ada: Rest, project: Project, django_assert_max_num_queries: Any
) -> None:
    for _ in range(20):
        make_run(make_task(project))
    with django_assert_max_num_queries(5):
        assert len(ada.get("/runs")["results"]) == 20


@pytest.mark.parametrize("state", RunState)
def test_every_run_is_as_the_document_says(ada: Rest, task: Task, state: str) -> None:
    run = make_run(task, state, facts={"jailed": True, "files": [{"path": "a", "change": "added", "bytes": 3}]})
    make_attempt(run, session_id="s", exit_code=1)
    make_ask(run)
    found = ada.get(f"/runs/{run.public_id}")
    components = document()["components"]
    Draft202012Validator({**components["schemas"]["RunShape"], "components": components}).validate(found)
    (row,) = ada.get("/runs")["results"]
    Draft202012Validator({**components["schemas"]["RunRow"], "components": components}).validate(row)
    assert (found["state"], found["is_jailed"], found["takes_messages"]) == (state, True, state in LIVE)
    assert found["changes"]["files"][0]["path"] == "a"
    assert found["attempts"][0]["agent_session"] == "s"


def test_a_run_that_is_known_is_not_sent_again(ada: Rest, task: Task) -> None:
    address = f"/runs/{make_run(task).public_id}"
    etag = ada.send("GET", address)["ETag"]
    assert ada.send("GET", address, If_None_Match=etag).status_code == 304


def test_no_path_of_the_server_and_no_token_is_shown(ada: Rest, task: Task) -> None:
    run = make_run(task, worktree={"folder": "/secret/place", "repository": "/secret/too"}, token_digest="d1ge5t")
    text = ada.send("GET", f"/runs/{run.public_id}").content.decode()
    assert "/secret" not in text
    assert "d1ge5t" not in text


@pytest.mark.parametrize("verb", ["kill", "resume", "message", "answer", "merge", "dismiss"])
def test_a_run_that_is_not_there_is_not_found(ada: Rest, verb: str) -> None:
    body = {"message": {"text": "x"}, "answer": {"allow": True}}.get(verb)
    assert ada.refused(404, "POST", f"/runs/{UNKNOWN}/{verb}", body or {})["code"] == "not_found"
    for below in ("", "/log", "/diff", "/patch"):
        ada.refused(404, "GET", f"/runs/{UNKNOWN}{below}")


def test_a_token_of_another_project_sees_none(task: Task) -> None:
    run = make_run(task)
    stranger = rest(project=make_project("elsewhere"))
    assert stranger.get("/runs")["results"] == []
    stranger.refused(404, "GET", f"/runs/{run.public_id}")
    stranger.refused(404, "POST", f"/runs/{run.public_id}/kill", {})
    stranger.refused(404, "GET", "/projects/ledger/runs/costs")


# Verbs


def test_a_run_is_killed(ada: Rest, task: Task) -> None:
    run = make_run(task, RunState.QUEUED)
    killed = ada.post(f"/runs/{run.public_id}/kill", {"reason": "Not needed."})
    assert (killed["state"], killed["reason"]) == ("killed", "Not needed.")
    assert ada.refused(409, "POST", f"/runs/{run.public_id}/kill", {})["code"] == "conflict"


def test_a_run_is_resumed_with_a_message(ada: Rest, task: Task) -> None:
    run = make_run(task, RunState.INTERRUPTED)
    resumed = ada.post(f"/runs/{run.public_id}/resume", {"text": "Go on."})
    assert (resumed["state"], resumed["messages_waiting"]) == ("queued", 1)


def test_a_message_is_left_once_for_each_key(ada: Rest, task: Task) -> None:
    run = make_run(task, RunState.RUNNING)
    for _ in range(2):
        ada.post(f"/runs/{run.public_id}/message", {"text": "Use cents."}, Idempotency_Key="k")
    assert run.messages.get().text == "Use cents."


def test_an_ask_is_answered_by_its_number_or_the_oldest_first(ada: Rest, task: Task) -> None:
    run = make_run(task, RunState.ASKING)
    first, second = make_ask(run), make_ask(run)
    answer = ada.post(f"/runs/{run.public_id}/answer", {"allow": False, "ask": second.pk, "reason": "No."})
    assert (answer["ask"], answer["state"], answer["reason"]) == (second.pk, "denied", "No.")
    assert ada.post(f"/runs/{run.public_id}/answer", {"allow": True})["ask"] == first.pk
    assert ada.refused(404, "POST", f"/runs/{run.public_id}/answer", {"allow": True})["code"] == "not_found"
    answered = {"allow": True, "ask": second.pk}
    assert ada.refused(409, "POST", f"/runs/{run.public_id}/answer", answered)["code"] == "conflict"


def test_a_comment_waits_for_the_next_attempt(ada: Rest, task: Task) -> None:
    run = make_run(task, RunState.FAILED)
    body = {"text": "Use cents.", "path": "src/a.py", "line": 3, "quote": "x = 0.0"}
    assert ada.post(f"/runs/{run.public_id}/comment", body)["messages_waiting"] == 1
    assert "src/a.py, line 3:" in run.messages.get().text
    at_work = make_run(make_task(task.project), RunState.RUNNING)
    assert ada.refused(409, "POST", f"/runs/{at_work.public_id}/comment", body)["code"] == "conflict"


def test_only_a_person_trusts_a_tampered_run(ada: Rest, task: Task) -> None:
    run = make_run(task, RunState.TAMPERED)
    assert ada.refused(403, "POST", f"/runs/{run.public_id}/trust", {})["code"] == "forbidden"


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("message", {}),
        ("message", {"text": ""}),
        ("message", {"text": "x" * 20_001}),
        ("answer", {}),
        ("answer", {"allow": "yes"}),
        ("answer", {"allow": True, "ask": 2**63}),
        ("merge", {"mode": "rebase"}),
        ("kill", {"why": "x"}),
    ],
)
def test_a_wrong_body_is_invalid(ada: Rest, task: Task, verb: str, body: dict[str, Any]) -> None:
    run = make_run(task, RunState.RUNNING)
    assert ada.refused(400, "POST", f"/runs/{run.public_id}/{verb}", body)["code"] == "invalid"


WRITES: dict[str, dict[str, Any]] = {"kill": {}, "resume": {}, "message": {"text": "x"}}
REVIEWS: dict[str, dict[str, Any]] = {
    "answer": {"allow": True}, "comment": {"text": "x", "path": "a"}, "dismiss": {}, "merge": {"dry_run": False},
    "trust": {},
}  # fmt: skip


@pytest.mark.parametrize(("verb", "body"), [*WRITES.items(), *REVIEWS.items()])
def test_every_verb_needs_its_scope(task: Task, verb: str, body: dict[str, Any]) -> None:
    run = make_run(task, RunState.ASKING)
    ask = make_ask(run)
    few = ("read",) if verb in WRITES else ("read", "write")
    assert rest(scopes=few).refused(403, "POST", f"/runs/{run.public_id}/{verb}", body)["code"] == "forbidden"
    run.refresh_from_db()
    ask.refresh_from_db()
    assert (run.state, run.stop, ask.state) == (RunState.ASKING, "", AskState.OPEN)


def test_readers_read_everything_and_start_nothing(task: Task) -> None:
    run, reader = make_run(task), rest(scopes=("read",))
    for address in ("/runs", f"/runs/{run.public_id}", f"/runs/{run.public_id}/log", "/projects/ledger/runs/costs"):
        assert reader.get(address)
    for below in ("", "/sweep"):
        body = {"task_ids": [task.public_id]} if not below else {}
        assert reader.refused(403, "POST", f"/projects/ledger/runs{below}", body)["code"] == "forbidden"


# Costs


def test_costs_are_summed_up_by_project_and_plan(ada: Rest, project: Project) -> None:
    plans = [make_plan(project, 2), make_plan(project, 1)]
    for cost, leaf in zip((1, 2, 4), Task.objects.filter(parent__in=plans).order_by("pk"), strict=True):
        make_run(leaf, RunState.FAILED, cost_usd=cost, tokens_in=10 * cost, context_peak=cost, turns=1)
    make_run(make_task(make_project("shop")), cost_usd=100)
    costs = ada.get("/projects/ledger/runs/costs")
    assert (costs["total"]["cost_usd"], costs["total"]["runs"], costs["total"]["tokens_in"]) == (7, 3, 70)
    assert costs["total"]["context_peak"] == 4
    assert [(row["plan"], row["cost_usd"]) for row in costs["plans"]] == [
        (plans[1].public_id, 4),
        (plans[0].public_id, 3),
    ]
    of_one = ada.get(f"/projects/ledger/runs/costs?plan={plans[0].public_id}")
    assert (of_one["total"]["cost_usd"], len(of_one["plans"])) == (3, 1)


def test_costs_of_nothing_are_zero(ada: Rest, project: Project) -> None:
    costs = ada.get("/projects/ledger/runs/costs")
    assert (costs["plans"], set(costs["total"].values())) == ([], {0})
    for plan in ("task_00000000", ""):
        ada.refused(404, "GET", f"/projects/ledger/runs/costs?plan={plan}")
