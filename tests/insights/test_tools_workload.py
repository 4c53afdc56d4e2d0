"""The tool workload_manager: capacity, a rebalancing that is previewed and applied, and the order of single tasks."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from orchestrator_site.kernel.identity import Scope, with_included
from orchestrator_site.mcp import registry
from orchestrator_site.mcp.serializers import described
from tasks.choices import Priority, Verb
from tasks.models import Event, Project, Task
from tests.assistants import Assistant, everything, subtask
from tests.factories import make_task

TOOL = "workload_manager"
READING = ("check_capacity", "suggest_rebalancing")
ORDERING: dict[str, dict[str, Any]] = {
    "defer_task": {"until": "2099-05-04"},
    "priority_boost": {"priority": "urgent"},
    "assign_task": {"client": "Codex"},
}
ACTIONS = (*READING, *ORDERING, "apply")


@pytest.fixture
def task(ada: Assistant) -> Task:
    return Task.objects.get(public_id=ada.plan("A")["A"])


@pytest.fixture
def blocker(ada: Assistant) -> Task:
    """A task that two others wait for."""
    waiting = [subtask(title, dependencies=["A"]) for title in "BC"]
    made = ada.call("plan_task", description="A job", subtasks=[subtask("A"), *waiting])
    return Task.objects.get(public_id=made["subtasks"][0]["task_id"])


def call(ada: Assistant, action: str, **more: Any) -> dict[str, Any]:
    return ada.call(TOOL, action=action, **more)


def problem(ada: Assistant, action: str, **more: Any) -> str:
    error = ada.refused(TOOL, action=action, **more)
    assert error["code"] == "invalid"
    return str(error["details"]["problems"][0]["at"])


@pytest.mark.parametrize("action", READING)
def test_an_empty_board_is_answered(ada: Assistant, action: str) -> None:
    assert call(ada, action)["next"]


def test_where_figures_are_switched_off_capacity_says_so(ada: Assistant, blocker: Task) -> None:
    Project.objects.update(settings={"metrics": {"daily": "off"}})
    answer = call(ada, "check_capacity")
    assert "metrics.daily" in answer["next"] and "arrivals_per_day" not in answer["specialists"][0]


@pytest.mark.parametrize("action", READING)
@pytest.mark.parametrize("horizon", ["current_session", "daily", "weekly"])
def test_reading_changes_nothing_in_any_horizon(ada: Assistant, blocker: Task, action: str, horizon: str) -> None:
    before = everything()
    assert call(ada, action, time_horizon=horizon, workload_threshold=0.5, specialist_filter="implementer")["next"]
    assert everything() == before


def test_capacity_counts_what_is_held_ready_and_waits(ada: Assistant, blocker: Task) -> None:
    (row,) = call(ada, "check_capacity")["specialists"]
    assert (row["specialist_type"], row["held"], row["ready"], row["waiting"]) == ("implementer", 0, 1, 2)
    assert row["load"] == "too few"


@pytest.mark.parametrize("action", READING)
def test_of_whom_too_few_finished_it_is_not_said_that_they_have_time(ada: Assistant, task: Task, action: str) -> None:
    assert "implementer" in call(ada, action)["next"]


@pytest.mark.parametrize("action", READING)
def test_a_specialist_without_tasks_is_named(ada: Assistant, task: Task, action: str) -> None:
    assert "bookkeeper" in call(ada, action, specialist_filter="bookkeeper")["next"]


def test_what_would_help_comes_with_the_call_that_does_it_and_a_token(ada: Assistant, blocker: Task) -> None:
    answer = call(ada, "suggest_rebalancing")
    (row,) = answer["proposals"]
    assert row["task_id"] == blocker.public_id and row["reason"]
    assert row["call"] == f"priority_boost(task_id={blocker.public_id!r}, priority='high')"
    assert answer["plan_token"] in answer["next"]


def test_a_preview_is_applied_with_its_token(ada: Assistant, blocker: Task) -> None:
    token = call(ada, "suggest_rebalancing")["plan_token"]
    answer = call(ada, "apply", plan_token=token)
    assert [row["task_id"] for row in answer["applied"]] == [blocker.public_id]
    blocker.refresh_from_db()
    assert blocker.priority == Priority.HIGH
    assert ada.refused(TOOL, action="apply", plan_token=token)["code"] == "conflict"


def test_a_preview_of_other_arguments_is_not_applied(ada: Assistant, blocker: Task) -> None:
    token = call(ada, "suggest_rebalancing", time_horizon="weekly")["plan_token"]
    assert ada.refused(TOOL, action="apply", plan_token=token)["code"] == "conflict"
    assert call(ada, "apply", plan_token=token, time_horizon="weekly")["applied_total"] == 1


def test_applying_needs_a_token(ada: Assistant, blocker: Task) -> None:
    assert problem(ada, "apply") == "plan_token"


@pytest.mark.parametrize("action", ORDERING)
def test_what_concerns_a_task_needs_one_that_is_there(ada: Assistant, action: str) -> None:
    assert problem(ada, action, **ORDERING[action]) == "task_id"
    error = ada.refused(TOOL, action=action, task_id="tester_ffffff", **ORDERING[action])
    assert error["code"] == "not_found"


def test_a_deferred_task_is_not_handed_out_until_it_is_so_no_longer(ada: Assistant, task: Task) -> None:
    answer = call(ada, "defer_task", task_id=task.public_id, until="2099-05-04")
    assert answer["not_before"].startswith("2099-05-04T00:00")
    assert ada.refused("execute_subtask")["code"] == "not_ready"
    assert problem(ada, "defer_task", task_id=task.public_id) == "until"
    assert "not_before" not in call(ada, "defer_task", task_id=task.public_id, clear=["until"])
    assert ada.call("execute_subtask")["task_id"] == task.public_id


@pytest.mark.parametrize("until", ["soon", "2099-13-01", "99", "2000-01-01"])
def test_a_time_that_is_none_or_is_past_is_refused(ada: Assistant, task: Task, until: str) -> None:
    assert ada.refused(TOOL, action="defer_task", task_id=task.public_id, until=until)["code"] == "invalid"


@pytest.mark.parametrize(
    ("sent", "wanted"), [({}, "high"), ({"priority": "urgent"}, "urgent"), ({"priority": "low"}, "low")]
)
def test_a_boost_sets_the_priority(ada: Assistant, task: Task, sent: dict[str, str], wanted: str) -> None:
    assert call(ada, "priority_boost", task_id=task.public_id, **sent)["priority"] == wanted
    assert Event.objects.filter(task=task, verb=Verb.BOOST).count() == 1


def test_a_wish_is_kept_and_taken_back(ada: Assistant, task: Task) -> None:
    answer = call(ada, "assign_task", task_id=task.public_id, client="Codex", model="GPT-9")
    assert (answer["for_client"], answer["for_model"]) == ("codex", "gpt-9")
    assert ada.send("execute_subtask").is_error
    answer = call(ada, "assign_task", task_id=task.public_id, clear=["client"])
    assert "for_client" not in answer and answer["for_model"] == "gpt-9"
    assert "for_model" not in call(ada, "assign_task", task_id=task.public_id, clear="model")
    assert problem(ada, "assign_task", task_id=task.public_id) == "client"
    assert ada.call("execute_subtask")["task_id"] == task.public_id


@pytest.mark.parametrize("action", ORDERING)
def test_of_a_group_the_answer_counts_the_tasks_that_changed(ada: Assistant, blocker: Task, action: str) -> None:
    assert blocker.parent is not None
    answers = [call(ada, action, task_id=blocker.parent.public_id, **ORDERING[action]) for _ in range(2)]
    assert [answer["changed_total"] for answer in answers] == [3, 0]


@pytest.mark.parametrize("action", ORDERING)
def test_a_finished_task_is_left_alone(ada: Assistant, task: Task, action: str) -> None:
    ada.call("execute_subtask", task_id=task.public_id)
    ada.complete(task.public_id)
    assert ada.refused(TOOL, action=action, task_id=task.public_id, **ORDERING[action])["code"] == "conflict"


@pytest.mark.parametrize("action", ACTIONS)
def test_scopes_are_judged_by_action(ada: Assistant, blocker: Task, action: str) -> None:
    token = call(ada, "suggest_rebalancing")["plan_token"]
    ada.caller.principal = ada.caller.principal.__class__("ada", scopes=with_included([Scope.READ]))
    arguments = {"task_id": blocker.public_id, "plan_token": token, **ORDERING.get(action, {})}
    outcome = ada.send(TOOL, action=action, **arguments)
    assert outcome.is_error is (action not in READING)
    assert not outcome.is_error or outcome.payload["code"] == "forbidden"


def test_a_key_does_it_once(ada: Assistant, task: Task) -> None:
    sent = {"action": "priority_boost", "task_id": task.public_id, "idempotency_key": "k"}
    first = ada.call(TOOL, **sent)
    assert ada.call(TOOL, **sent) == {**first, "replayed": True}
    assert Event.objects.filter(task=task, verb=Verb.BOOST).count() == 1


@pytest.mark.parametrize("threshold", [0.01, 101, -1])
def test_a_threshold_out_of_bounds_is_named(ada: Assistant, threshold: float) -> None:
    assert problem(ada, "check_capacity", workload_threshold=threshold) == "workload_threshold"


@pytest.mark.parametrize("action", READING)
def test_answers_stay_small(ada: Assistant, action: str) -> None:
    project = ada.caller.project()
    old = timezone.now() - timedelta(days=9)
    for number in range(60):
        make_task(
            project, specialist=f"{'s' * 50}-{number}", title="t" * 300, is_ready=True, unblocks=number,
            complexity="very_complex", created_at=old,
        )  # fmt: skip
    assert len(ada.send(TOOL, action=action).text.encode()) <= 2000


def test_both_tools_of_routing_are_small() -> None:
    tools = [described(tool) for tool in registry.tools(["routing"])]
    assert [tool.name for tool in tools] == ["orchestrator_specialist_intelligence", "orchestrator_workload_manager"]
    rows = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
    assert len(json.dumps(rows, separators=(",", ":")).encode()) <= 1300
