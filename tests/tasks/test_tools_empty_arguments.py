"""Clients fill in what is optional: null and the empty string for such an argument mean that it was not sent."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator_site.mcp import registry
from tasks.models import Task
from tests.assistants import Assistant, completion, subtask

EMPTY = [None, ""]


def filled(name: str, empty: Any, **arguments: Any) -> dict[str, Any]:
    """Return arguments with every optional one of the tool filled in."""
    (tool,) = [each for each in registry.tools(["all"]) if each.name == f"orchestrator_{name}"]
    optional = {field for field, info in tool.arguments.model_fields.items() if not info.is_required()}
    return dict.fromkeys(optional - arguments.keys(), empty) | arguments


@pytest.mark.parametrize("empty", EMPTY)
def test_the_whole_loop_goes_with_every_optional_argument_empty(ada: Assistant, empty: Any) -> None:
    ada.call("initialize_session", **filled("initialize_session", empty))
    part = dict.fromkeys(
        ["key", "dependencies", "estimated_effort", "priority", "context", "review", "subtasks"], empty
    )
    made = ada.call(
        "plan_task", **filled("plan_task", empty, description="A job", subtasks=[subtask("A", **part), subtask("B")])
    )
    ids = {row["title"]: row["task_id"] for row in made["subtasks"]}
    ada.call("execute_subtask", **filled("execute_subtask", empty, task_id=ids["A"]))
    done = ada.call("complete_subtask", **filled("complete_subtask", empty, **completion(ids["A"])))
    ada.call("get_status", **filled("get_status", empty))
    artifact = done["artifact_info"]["artifact_id"]
    assert ada.call("read_artifact", **filled("read_artifact", empty, artifact_id=artifact))["text"] == "The work"
    ada.call("synthesize_results", **filled("synthesize_results", empty, parent_task_id=made["parent_task_id"]))
    ada.call("search", **filled("search", empty, query="work"))
    ada.call("list_artifacts", **filled("list_artifacts", empty))
    begin = filled("store_artifact", empty, action="begin", task_id=ids["B"], text="part")
    upload = ada.call("store_artifact", **begin)["upload_id"]
    ada.call("store_artifact", **filled("store_artifact", empty, action="status", upload_id=upload))
    ada.call("store_artifact", **filled("store_artifact", empty, action="abort", upload_id=upload))


@pytest.mark.parametrize("empty", EMPTY)
def test_an_action_with_empty_fields_edits_nothing(ada: Assistant, empty: Any) -> None:
    task = ada.plan("A")["A"]
    call = filled("update_task", empty, task_id=task, action="block", reason="No access")
    answer = ada.call("update_task", **call)
    assert (answer["status"], answer.get("changed")) == ("blocked", None)
    row = Task.objects.get(public_id=task)
    assert (row.title, row.description, row.specialist, row.priority_word) == ("A", "Do A", "implementer", "normal")


def test_an_action_with_a_title_changes_only_the_title(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.call("update_task", task_id=task, action="block", reason="No access", title="B", description=None)
    row = Task.objects.get(public_id=task)
    assert (row.title, row.description, row.status) == ("B", "Do A", "blocked")


@pytest.mark.parametrize("empty", EMPTY)
def test_what_was_left_out_is_named(ada: Assistant, empty: Any) -> None:
    notes = ada.call("get_status", task_id=empty, cursor=empty)["repaired"]
    assert "task_id" in str(notes)
    assert "cursor" in str(notes)


@pytest.mark.parametrize("empty", EMPTY)
def test_a_required_argument_is_never_empty(ada: Assistant, empty: Any) -> None:
    assert ada.refused("update_task", task_id=empty, action="cancel")["code"] in ("invalid", "not_found")
    assert ada.refused("plan_task", description="A job", subtasks=empty)["code"] == "invalid"


def test_a_text_is_cleared_by_naming_it(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    answer = ada.call("update_task", task_id=task, clear=["description"])
    assert answer["changed"] == ["description"]
    row = Task.objects.get(public_id=task)
    assert (row.title, row.description, row.specialist) == ("A", "", "implementer")
    assert ada.call("update_task", task_id=ada.plan("B")["B"], clear="description")["changed"] == ["description"]


def test_a_title_cannot_be_cleared_nor_a_text_both_set_and_cleared(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    assert ada.refused("update_task", task_id=task, clear=["title"])["code"] == "invalid"
    assert ada.refused("update_task", task_id=task, description="x", clear=["description"])["code"] == "invalid"


def test_a_call_that_says_nothing_is_refused(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    assert ada.refused("update_task", **filled("update_task", None, task_id=task))["code"] == "invalid"
