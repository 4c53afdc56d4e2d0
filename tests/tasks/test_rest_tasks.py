"""/tasks/{task_id}: everything about a task, its brief, and edits of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils.dateparse import parse_datetime
from pytest_django import DjangoAssertNumQueries

from tasks.models import Event, Project, Task
from tests.factories import make_artifact, make_dependency, make_plan, make_project, make_task
from tests.rest import Rest, rest, subtask

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Rest:
    return rest()


@pytest.fixture
def project() -> Project:
    return make_project("shop")


def test_a_task_says_everything_about_itself(ada: Rest, project: Project) -> None:
    ids = ada.plan(project, subtasks=[subtask("A"), subtask("B", dependencies=["A"]), subtask("C", dependencies=["B"])])
    ada.post(f"/tasks/{ids['A']}/complete", {"summary": "Done", "detailed_work": "x", "file_paths": ["a.py"]})
    task = ada.get(f"/tasks/{ids['B']}")
    assert task["waits_for"] == [
        {"task_id": ids["A"], "title": "A", "status": "completed", "specialist_type": "implementer"}
    ]
    assert [row["task_id"] for row in task["needed_by"]] == [ids["C"]]
    assert (task["waits_for_total"], task["needed_by_total"], task["artifacts_total"]) == (1, 1, 0)
    assert task["actions"] == ["claim", "block", "cancel", "archive"]
    assert (task["parent_task_id"], task["plan"], task["project"]) == (ids["plan"], ids["plan"], "shop")
    (work,) = ada.get(f"/tasks/{ids['A']}")["artifacts"]
    assert (work["kind"], work["size_chars"], work["paths"]) == ("general", 1, ["a.py"])


def test_times_are_iso_8601_in_utc(ada: Rest, project: Project) -> None:
    task = ada.get(f"/tasks/{ada.plan(project, 'A')['A']}")
    assert task["created_at"].endswith("Z")
    assert parse_datetime(task["created_at"]) == Task.objects.get(public_id=task["task_id"]).created_at
    assert task["completed_at"] is None


def test_what_is_linked_is_shown_up_to_a_bound_with_the_true_total(
    ada: Rest, project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    plan = make_plan(project, 80)
    first, *others = Task.objects.filter(parent=plan)
    for other in others:
        make_dependency(first, other)
    make_artifact(first)
    Task.objects.filter(pk=first.pk).update(summary="Done")
    ada.get("/projects")  # notes that the token was used
    with django_assert_num_queries(7):
        task = ada.get(f"/tasks/{first.public_id}")
    assert (len(task["waits_for"]), task["waits_for_total"]) == (50, 79)
    assert task["artifacts_total"] == 1


def test_an_edit_changes_what_is_named(ada: Rest, project: Project) -> None:
    task = ada.plan(project, "A")["A"]
    body = {"title": "Better", "description": "All of it", "specialist_type": "tester", "priority": "high"}
    answer = ada.send("PATCH", f"/tasks/{task}", body).json()
    assert body.items() <= answer.items()
    assert answer == ada.get(f"/tasks/{task}")
    assert Event.objects.latest("id").after["title"] == "Better"


def test_null_clears_what_may_be_empty(ada: Rest, project: Project) -> None:
    task = ada.plan(project, subtasks=[subtask("A", priority="urgent")])["A"]
    answer = ada.send("PATCH", f"/tasks/{task}", {"description": None, "priority": None}).json()
    assert (answer["description"], answer["priority"], answer["title"]) == ("", "normal", "A")
    ada.refused(400, "PATCH", f"/tasks/{task}", {"title": None})


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"title": ""}, "title"),
        ({"title": "x" * 301}, "title"),
        ({"specialist_type": "wizard"}, "specialist_type"),
        ({"priority": "soon"}, "priority"),
        ({"priority": 3}, "priority"),
        ({"status": "completed"}, "status"),
    ],
)
def test_an_edit_that_cannot_be_changes_nothing(ada: Rest, project: Project, body: dict[str, Any], at: str) -> None:
    task = ada.plan(project, "A")["A"]
    before = ada.get(f"/tasks/{task}")
    assert ada.refused(400, "PATCH", f"/tasks/{task}", body)["problems"][0]["at"] == at
    assert ada.get(f"/tasks/{task}") == before


def test_an_edit_of_nothing_is_refused(ada: Rest, project: Project) -> None:
    ada.refused(400, "PATCH", f"/tasks/{ada.plan(project, 'A')['A']}", {})


def test_a_part_of_an_id_is_no_id(ada: Rest, project: Project) -> None:
    task = ada.plan(project, "A")["A"]
    ada.refused(404, "GET", f"/tasks/{task[:-1]}")


def test_the_brief_is_read_without_claiming(ada: Rest, project: Project) -> None:
    task = ada.plan(project, "A")["A"]
    brief = ada.get(f"/tasks/{task}/brief")
    assert "senior developer" in brief["brief"]
    assert (brief["omitted"], brief["role_problems"]) == ([], [])
    assert ada.get(f"/tasks/{task}")["status"] == "pending"
    text = ada.send("GET", f"/tasks/{task}/brief", Accept="text/markdown")
    assert text["Content-Type"] == "text/markdown; charset=utf-8"
    assert text.content.decode() == brief["brief"]


def test_a_brief_says_at_which_address_the_work_before_it_is_read(ada: Rest, project: Project) -> None:
    group = subtask("Group", key="group", subtasks=[subtask("Part")])
    ids = ada.plan(project, subtasks=[subtask("A"), group, subtask("B", dependencies=["A", "group"])])
    work = {"summary": "Done", "detailed_work": "x"}
    artifact = ada.post(f"/tasks/{ids['A']}/complete", work)["artifact_info"]["artifact_id"]
    ada.post(f"/tasks/{ids['Part']}/complete", work)
    read = ada.get(f"/tasks/{ids['B']}/brief")["brief"]
    claimed = ada.post(f"/tasks/{ids['B']}/claim")["brief"]
    for brief in (read, claimed):
        assert f"GET /api/v1/artifacts/{artifact}/content" in brief
        assert f"GET /api/v1/tasks/{ids['Group']}/synthesis" in brief
        assert "orchestrator_" not in brief
    assert ada.send("GET", f"/tasks/{ids['Group']}/synthesis").status_code == 200


def test_what_a_task_says_itself_is_reported_as_it_is(ada: Rest, project: Project) -> None:
    task = ada.plan(project, subtasks=[subtask("A", description="Explain orchestrator_plan_task")])["A"]
    assert "Explain orchestrator_plan_task" in ada.get(f"/tasks/{task}/brief")["brief"]


def test_a_finished_task_is_not_edited_and_says_what_to_do_instead(ada: Rest, project: Project) -> None:
    task = ada.plan(project, "A")["A"]
    ada.post(f"/tasks/{task}/complete", {"summary": "Done", "detailed_work": "x"})
    problem = ada.refused(409, "PATCH", f"/tasks/{task}", {"title": "B"})
    assert problem["next"] == "Request a revision of it first, or plan a new task."


def test_the_brief_keeps_to_a_length_and_names_what_it_left_out(ada: Rest, project: Project) -> None:
    task = ada.plan(project, subtasks=[subtask("A", description="word " * 2000)])["A"]
    short = ada.get(f"/tasks/{task}/brief?max_chars=1000")
    assert len(short["brief"]) <= 1000
    assert short["omitted"]
    for wrong in ("999", "x", "", "200001", "-1", "9" * 40, "000001000" + "9" * 6):
        ada.refused(400, "GET", f"/tasks/{task}/brief?max_chars={wrong}")


def test_an_archived_task_is_still_read(ada: Rest, project: Project) -> None:
    task = make_task(project, status="completed", archived_at="2026-01-01T00:00:00Z")
    assert ada.get(f"/tasks/{task.public_id}")["archived_at"] == "2026-01-01T00:00:00Z"


def test_head_answers_like_get_without_the_body(ada: Rest, project: Project) -> None:
    task = f"/tasks/{ada.plan(project, 'A')['A']}"
    head = ada.send("HEAD", task)
    assert (head.status_code, head.content, head["ETag"]) == (200, b"", ada.send("GET", task)["ETag"])
