"""What an agent in a run may do on the board: read it, and do its own task; and nothing once its run is over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from orchestrator_site.kernel.identity import Principal
from orchestrator_site.tokens.service import principal_of
from tasks.agents.choices import ENDED, WORKING, RunState
from tasks.agents.models import Run
from tasks.agents.services.supervise import session_actor
from tasks.agents.services.tokens import new_token
from tasks.agents.services.transitions import move
from tasks.choices import Status
from tasks.identity.actor import Actor
from tasks.models import Task
from tasks.services.caller import Caller
from tasks.services.claim import claim
from tests.agents.rows import make_ask, make_run, make_supervisor, switch_on
from tests.assistants import Assistant, completion, subtask
from tests.factories import make_project, make_user

pytestmark = pytest.mark.django_db
Ids = dict[str, str]


@pytest.fixture
def ids(ada: Assistant) -> Ids:
    """A plan: a subtask for a run, one that ada holds, one in review, and one that is free."""
    ids = ada.plan("own", "held", "reviewed", "free")
    ada.call("execute_subtask", task_id=ids["held"])
    Task.objects.filter(public_id=ids["reviewed"]).update(status=Status.IN_REVIEW, is_ready=False)
    switch_on(Task.objects.get(public_id=ids["own"]).project)
    make_supervisor()
    return ids


@pytest.fixture
def run(ids: Ids) -> Run:
    """A run that holds its task, as its supervisor has begun it."""
    run = make_run(Task.objects.select_related("project").get(public_id=ids["own"]), RunState.RUNNING)
    made = claim(task=run.task, actor=session_actor(run))
    run.lease_number, run.session = made.task.lease_number, made.task.lease_session
    run.save(update_fields=["lease_number", "session"])
    return run


@pytest.fixture
def secret(run: Run) -> str:
    return new_token(run)


@pytest.fixture
def agent(secret: str, ada: Assistant) -> Iterator[Assistant]:
    """The agent of the run, as it comes over HTTP with its token alone."""
    principal = principal_of(secret)
    assert principal is not None
    agent = Assistant(ada.folder)
    agent.caller = Caller(principal)
    yield agent


def test_it_reads_the_board_and_delivers_its_own_task(agent: Assistant, ids: Ids, run: Run) -> None:
    assert agent.call("get_status", task_id=ids["held"])["status"] == Status.ACTIVE
    assert agent.call("execute_subtask", task_id=ids["own"])["renewed"] is True
    artifact = agent.complete(ids["own"])["artifact_info"]["artifact_id"]
    assert agent.call("read_artifact", artifact_id=artifact)["text"] == "The work"
    run.task.refresh_from_db()
    assert run.task.status == Status.COMPLETED


def test_it_hands_its_own_task_back_with_a_question(agent: Assistant, ids: Ids, run: Run) -> None:
    agent.complete(ids["own"], next_action="blocked", reason="Which currency?")
    run.task.refresh_from_db()
    assert (run.task.status, run.task.reason) == (Status.BLOCKED, "Which currency?")


def test_it_stores_artifacts_of_its_own_task(agent: Assistant, ids: Ids) -> None:
    upload = agent.call("store_artifact", action="begin", task_id=ids["own"], text="Part", file_paths=["a.md"])
    done = agent.call("store_artifact", action="commit", upload_id=upload["upload_id"])
    assert done["artifact_info"]["artifact_id"]


FORBIDDEN: list[tuple[str, dict[str, Any]]] = [
    ("execute_subtask", {"task_id": "free"}),
    ("execute_subtask", {"task_id": "held", "take_over": True}),
    ("complete_subtask", completion("held")),
    ("complete_subtask", completion("reviewed")),
    ("complete_subtask", completion("free")),
    ("store_artifact", {"action": "begin", "task_id": "held", "text": "x"}),
    ("update_task", {"task_id": "free", "title": "Mine"}),
    ("update_task", {"task_id": "own", "title": "Mine"}),
    ("update_task", {"task_id": "own", "priority": "urgent"}),
    ("update_task", {"task_id": "own", "action": "cancel"}),
    ("update_task", {"task_id": "plan", "action": "cancel"}),
    ("update_task", {"task_id": "reviewed", "action": "approve"}),
    ("update_task", {"task_id": "reviewed", "action": "request_revision", "reason": "No."}),
    ("update_task", {"task_id": "held", "action": "block", "reason": "x"}),
    ("plan_task", {"description": "More", "subtasks": [subtask("More")]}),
    ("plan_task", {"description": "More", "subtasks": [subtask("More")], "parent_task_id": "own"}),
    ("execute_subtask_isolated", {"task_ids": ["held"]}),
    ("spawn_isolated_session", {"task_id": "held"}),
    ("monitor_isolated_execution", {"task_id": "own"}),
    ("monitor_isolated_execution", {"task_id": "own", "action": "kill"}),
    ("monitor_isolated_execution", {"task_id": "own", "action": "answer", "allow": True}),
    ("merge_isolated_work", {"run_id": "run_0000000000"}),
    ("maintenance_coordinator", {"action": "validate_structure"}),
    ("restart_server", {}),
]


@pytest.mark.parametrize(("name", "given"), FORBIDDEN, ids=lambda value: str(value)[:60])
def test_it_changes_nothing_else(agent: Assistant, ids: Ids, run: Run, name: str, given: dict[str, Any]) -> None:
    make_ask(run)
    named = {key: ids.get(value, value) if isinstance(value, str) else value for key, value in given.items()}
    named |= {"task_ids": [ids["held"]]} if "task_ids" in given else {}
    assert agent.refused(name, **named)["code"] == "forbidden"


def test_it_takes_no_other_task_by_asking_for_the_next(agent: Assistant, ids: Ids) -> None:
    agent.send("execute_subtask")
    assert Task.objects.get(public_id=ids["free"]).status == Status.PENDING


def test_it_sees_no_other_project(agent: Assistant, tmp_path: Path) -> None:
    elsewhere = Assistant(tmp_path)
    elsewhere.call("initialize_session")
    task = elsewhere.plan("theirs")["theirs"]
    assert agent.refused("get_status", task_id=task)["code"] == "not_found"


@pytest.mark.parametrize(
    ("method", "address"),
    [("GET", "/tasks"), ("GET", "/runs"), ("POST", "/tasks/{own}/complete"), ("GET", "/events"), ("GET", "/tokens")],
)
def test_it_does_not_use_the_rest_api(secret: str, ids: Ids, method: str, address: str) -> None:
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    answer = client.generic(method, "/api/v1" + address.format(**ids))
    assert answer.status_code == 403


@pytest.mark.parametrize("state", WORKING)
def test_its_token_works_while_the_run_is_at_work(run: Run, secret: str, state: str) -> None:
    Run.objects.filter(pk=run.pk).update(state=state)
    principal = principal_of(secret)
    assert isinstance(principal, Principal)
    assert (principal.task_id, principal.project_id) == (run.task_id, run.project_id)


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.SUCCEEDED, RunState.KILLED])
def test_its_token_is_dead_once_the_run_is_over(run: Run, secret: str, state: str) -> None:
    for step in (RunState.STOPPING, RunState.COLLECTING, state):
        move(run, step, actor=Actor.system())
    assert principal_of(secret) is None


@pytest.mark.parametrize("state", [RunState.QUEUED, *ENDED])
def test_no_state_but_those_at_work_brings_it_back(run: Run, secret: str, state: str) -> None:
    Run.objects.filter(pk=run.pk).update(state=state, ended_at=None if state == RunState.QUEUED else run.queued_at)
    assert principal_of(secret) is None


def test_a_new_attempt_has_a_new_token(run: Run, secret: str) -> None:
    assert new_token(run) != secret
    assert principal_of(secret) is None


def test_it_ends_with_the_account_on_whose_behalf_it_runs(run: Run, secret: str) -> None:
    user = make_user("grace")
    Run.objects.filter(pk=run.pk).update(user_id=user.pk)
    assert principal_of(secret) is not None
    user.is_active = False
    user.save(update_fields=["is_active"])
    assert principal_of(secret) is None


def test_a_token_that_no_run_has_is_none() -> None:
    make_project()
    assert principal_of("mtr_" + "x" * 43) is None
