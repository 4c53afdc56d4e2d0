"""Gates through the tools of the bridge."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks.choices import Status, Verb
from tasks.models import Event, Evidence, Project, Task, Waiver
from tests.assistants import Assistant, completion, subtask
from tests.gates.given import junit

REPORT = [{"gate": "report", "report": junit("one")}]


@pytest.fixture
def task_id(ada: Assistant) -> str:
    """Return a task that ada holds, with gates that were planned with it."""
    planned = ada.call("plan_task", description="A job", subtasks=[subtask("A", gates=["report"], file_paths=["src"])])
    task_id: str = planned["subtasks"][0]["task_id"]
    ada.call("execute_subtask", task_id=task_id)
    return task_id


def _refused(assistant: Assistant, tool: str, **arguments: Any) -> dict[str, Any]:
    outcome = assistant.send(tool, **arguments)
    assert outcome.is_error, outcome.payload
    return outcome.payload


def test_gates_and_paths_are_planned_with_a_subtask(task_id: str) -> None:
    task = Task.objects.get(public_id=task_id)
    assert (task.gates, task.paths) == ([{"kind": "report", "rung": "reported", "name": "report"}], ["src"])


def test_a_gate_that_makes_no_sense_refuses_the_plan(ada: Assistant) -> None:
    refused = ada.refused("plan_task", description="A job", subtasks=[subtask("A", gates=[{"kind": "prayer"}])])
    assert refused["details"]["problems"][0]["at"] == "subtasks[0].gates[0].kind"


def test_gates_with_those_of_the_project_are_no_more_than_allowed(ada: Assistant, task_id: str) -> None:
    Project.objects.update(settings={"gates": {"default": ["review"]}})
    gates = [{"kind": "report", "name": f"report-{n}"} for n in range(20)]
    refused = ada.refused("plan_task", description="A job", subtasks=[subtask("A", gates=gates)])
    assert refused["details"]["problems"][0]["at"] == "subtasks[0].gates"
    group = subtask("G", gates=gates, subtasks=[subtask("B")])  # the project's are for leaves
    assert ada.call("plan_task", description="A job", subtasks=[group])["subtasks"]


def test_a_brief_names_the_gates_and_how_to_meet_them(ada: Assistant, task_id: str) -> None:
    brief = ada.call("execute_subtask", task_id=task_id)["brief"]
    assert "## Gates: met before it can be completed" in brief and 'evidence=[{"gate": "report"' in brief


def test_a_brief_of_a_task_without_gates_names_none(ada: Assistant) -> None:
    assert "## Gates" not in ada.call("execute_subtask", task_id=ada.plan("A")["A"])["brief"]


def test_a_completion_without_evidence_is_answered_with_what_is_missing(ada: Assistant, task_id: str) -> None:
    error = _refused(ada, "complete_subtask", **completion(task_id))
    assert error["code"] == "not_ready"
    (gate,) = error["details"]["gates"]
    assert gate["gate"] == "report" and gate["asks"] and gate["why_not"] and gate["next"]
    assert Event.objects.filter(verb=Verb.MISS_GATE).count() == 1
    assert Task.objects.get(public_id=task_id).status == Status.ACTIVE


def test_many_gates_unmet_make_a_small_answer(ada: Assistant) -> None:
    gates = [{"kind": "report", "name": f"report-{n}", "tests": ["x" * 400] * 9} for n in range(20)]
    planned = ada.call("plan_task", description="A job", subtasks=[subtask("A", gates=gates)])
    error = _refused(ada, "complete_subtask", **completion(planned["subtasks"][0]["task_id"]))
    assert error["details"]["gates_total"] == 20
    assert len(str(error)) < 4_000


def test_the_status_of_a_task_names_the_gates_that_are_not_met(ada: Assistant, task_id: str) -> None:
    assert ada.call("get_status", task_id=task_id)["gates_unmet"] == ["report"]
    ada.complete(task_id, evidence=REPORT)
    assert "gates_unmet" not in ada.call("get_status", task_id=task_id)


def test_a_handover_says_which_gates_are_met(ada: Assistant, task_id: str) -> None:
    text = ada.call("maintenance_coordinator", action="prepare_handover", scope="full_project")["text"]
    assert f"- gate report of {task_id}: not met: nothing came" in text


def test_evidence_comes_with_the_completion(ada: Assistant, task_id: str) -> None:
    assert ada.complete(task_id, evidence=REPORT)["status"] == Status.COMPLETED


def test_a_string_is_evidence_for_the_only_gate(ada: Assistant, task_id: str) -> None:
    error = _refused(ada, "complete_subtask", **completion(task_id), evidence=["All is well"])
    assert "All is well" in error["details"]["gates"][0]["came"]


def test_a_replay_under_the_same_key_adds_nothing(ada: Assistant, task_id: str) -> None:
    call = {**completion(task_id), "evidence": REPORT, "idempotency_key": "once"}
    ada.call("complete_subtask", **call)
    bob = Assistant(ada.folder)
    bob.call("update_task", task_id=task_id, action="request_revision", reason="Fix it")
    ada.call("execute_subtask", task_id=task_id)
    assert ada.call("complete_subtask", **call)["replayed"]
    assert Evidence.objects.count() == 1
    assert not Event.objects.filter(verb=Verb.MISS_GATE).exists()
    assert Task.objects.get(public_id=task_id).status == Status.ACTIVE


def test_a_refused_call_does_not_use_its_key_up(ada: Assistant, task_id: str) -> None:
    key = {"idempotency_key": "once"}
    for missed in (1, 2):
        assert _refused(ada, "complete_subtask", **completion(task_id), **key)["code"] == "not_ready"
        assert Event.objects.filter(verb=Verb.MISS_GATE).count() == missed
    assert ada.complete(task_id, evidence=REPORT, **key)["status"] == Status.COMPLETED


def test_a_reviewer_waives_a_gate_and_the_holder_does_not(ada: Assistant, task_id: str) -> None:
    asked = {"task_id": task_id, "waive": "report", "reason": "Only words"}
    assert ada.refused("update_task", **asked)["code"] == "forbidden"
    assert Assistant(ada.folder).call("update_task", **asked)["changed"] == ["report"]
    assert ada.complete(task_id)["status"] == Status.COMPLETED


@pytest.mark.parametrize("more", [{}, {"reason": "x", "title": "Other"}, {"reason": "x", "action": "cancel"}])
def test_a_waiver_is_asked_for_alone_and_with_a_reason(ada: Assistant, task_id: str, more: dict[str, Any]) -> None:
    bob = Assistant(ada.folder)
    bob.call("initialize_session")
    assert bob.refused("update_task", task_id=task_id, waive="report", **more)["code"] == "invalid"
    assert not Waiver.objects.exists()


def test_a_synthesis_says_what_met_the_gates(ada: Assistant, task_id: str) -> None:
    ada.complete(task_id, evidence=REPORT)
    plan = Task.objects.get(public_id=task_id).root
    assert plan is not None
    assert "- gate report: reported by" in ada.call("synthesize_results", parent_task_id=plan.public_id)["report"]


def test_gates_cost_few_statements(ada: Assistant, task_id: str) -> None:
    with CaptureQueriesContext(connection) as captured:
        ada.complete(task_id, evidence=REPORT)
    assert (
        sum("SAVEPOINT" not in query["sql"] for query in captured.captured_queries) <= 20 + 6
    )  # the last subtask of a plan costs 20
