"""Clients fill in what is optional: null and the empty string for such an argument mean that it was not sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator_site.kernel.identity import Scope
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


@pytest.mark.parametrize("blank", [" ", "\n\t", "\u3000"])
def test_a_blank_text_edits_nothing(ada: Assistant, blank: str) -> None:
    task = ada.plan("A")["A"]
    answer = ada.call("update_task", task_id=task, title="B", description=blank, specialist_type=blank)
    assert answer["changed"] == ["title"] and "description" in str(answer["repaired"])
    row = Task.objects.get(public_id=task)
    assert (row.title, row.description, row.specialist) == ("B", "Do A", "implementer")


@pytest.mark.parametrize("empty", ["null", "None", " ", " NULL "])
def test_what_is_no_text_may_say_null(ada: Assistant, empty: str) -> None:
    names = ["project_dir", "new_session", "idempotency_key"]
    assert ada.call("initialize_session", **dict.fromkeys(names, empty))["resumed"]
    task = ada.plan("A")["A"]
    arguments = dict.fromkeys(["status", "include_completed", "limit", "cursor", "detail", "session_id"], empty)
    assert ada.call("get_status", **arguments)["tasks"]
    lists = dict.fromkeys(["add_dependencies", "remove_dependencies", "clear", "priority", "action"], empty)
    assert ada.call("update_task", task_id=task, title="B", **lists)["changed"] == ["title"]


def test_null_is_a_word_in_a_text(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.call("update_task", task_id=task, title="null", description="None")
    row = Task.objects.get(public_id=task)
    assert (row.title, row.description) == ("null", "None")


@pytest.mark.parametrize("members", [[None], [""], [" ", None], '[""]'])
def test_empty_members_of_a_list_are_left_out(ada: Assistant, members: Any) -> None:
    made = ada.call("plan_task", description="A job", subtasks=[subtask("A", dependencies=members), subtask("B")])
    ids = {row["title"]: row["task_id"] for row in made["subtasks"]}
    assert "dependencies" in str(made["repaired"])
    names = ["add_dependencies", "remove_dependencies", "clear"]
    answer = ada.call("update_task", task_id=ids["B"], title="C", **dict.fromkeys(names, members))
    assert answer["changed"] == ["title"] and all(name in str(answer["repaired"]) for name in names)
    mixed = [*(members if isinstance(members, list) else []), ids["A"]]
    assert ada.call("update_task", task_id=ids["B"], add_dependencies=mixed)["changed"] == ["add_dependencies"]
    done = ada.complete(ids["A"], file_paths=members, upload_ids=members)
    assert "upload_ids" in str(done["repaired"])
    assert ada.call("search", query="work", kinds=members)["hits"]


def test_zero_for_an_optional_number_that_begins_with_one_is_not_sent(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    assert ada.call("get_status", limit=0)["tasks"]
    assert "max_chars" in str(ada.call("execute_subtask", task_id=task, max_chars=0)["repaired"])
    done = ada.complete(task, lease_number=0, expected_size=0)
    artifact = done["artifact_info"]["artifact_id"]
    read = ada.call("read_artifact", artifact_id=artifact, limit=0, version=0, offset=0)
    assert read["text"] == "The work" and "offset" not in str(read["repaired"])
    begin = {"action": "begin", "task_id": ada.plan("B")["B"], "expected_size": 0, "lease_number": 0}
    upload = ada.call("store_artifact", **begin, text="\n")["upload_id"]
    part = {"action": "append", "upload_id": upload, "offset": 1, "text": " \n"}
    assert ada.call("store_artifact", **part)["offset"] == 3


def test_a_negative_number_is_still_refused(ada: Assistant) -> None:
    assert ada.refused("get_status", limit=-1)["code"] == "invalid"


def test_a_reviewer_may_fill_in_what_would_edit(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.complete(task)
    ada.caller.principal = replace(ada.caller.principal, scopes=frozenset({Scope.READ, Scope.REVIEW}))
    filled_in = {"add_dependencies": [""], "remove_dependencies": [], "clear": [None], "title": " "}
    answer = ada.call("update_task", task_id=task, action="request_revision", reason="Better", **filled_in)
    assert answer["status"] == "needs_revision"
