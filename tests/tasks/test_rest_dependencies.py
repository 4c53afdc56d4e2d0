"""/tasks/{task_id}/dependencies: what a task waits for, itself and through its parents."""

from __future__ import annotations

import pytest

from tasks.models import Project
from tests.factories import make_project
from tests.rest import Rest, rest, subtask

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Rest:
    return rest()


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def ids(ada: Rest, project: Project) -> dict[str, str]:
    group = {"title": "Group", "description": "x", "dependencies": ["A"], "subtasks": [subtask("Part")]}
    return ada.plan(project, subtasks=[subtask("A"), subtask("B"), group])


def waits_for(client: Rest, task: str) -> list[str]:
    return [row["task_id"] for row in client.get(f"/tasks/{task}/dependencies")["results"]]


def test_what_came_through_a_parent_names_it(ada: Rest, ids: dict[str, str]) -> None:
    ada.post(f"/tasks/{ids['Part']}/dependencies", {"task_ids": [ids["B"]]})
    inherited, own = ada.get(f"/tasks/{ids['Part']}/dependencies")["results"]
    assert (inherited["task_id"], inherited["inherited_from"]) == (ids["A"], ids["Group"])
    assert (own["task_id"], own["title"], own["status"], own["inherited_from"]) == (ids["B"], "B", "pending", None)


def test_adding_answers_the_task_as_it_stands(ada: Rest, ids: dict[str, str]) -> None:
    task = ada.post(f"/tasks/{ids['B']}/dependencies", {"task_ids": [ids["A"]]})["task"]
    assert (task["is_ready"], [row["task_id"] for row in task["waits_for"]]) == (False, [ids["A"]])
    ada.post(f"/tasks/{ids['B']}/dependencies", {"task_ids": [ids["A"]]})
    assert waits_for(ada, ids["B"]) == [ids["A"]]


def test_removing_frees_the_task(ada: Rest, ids: dict[str, str]) -> None:
    ada.post(f"/tasks/{ids['B']}/dependencies", {"task_ids": [ids["A"]]})
    response = ada.send("DELETE", f"/tasks/{ids['B']}/dependencies/{ids['A']}")
    assert (response.status_code, response.json()["task"]["is_ready"]) == (200, True)
    assert waits_for(ada, ids["B"]) == []
    ada.refused(409, "DELETE", f"/tasks/{ids['B']}/dependencies/{ids['A']}")


def test_what_came_through_a_parent_is_removed_there(ada: Rest, ids: dict[str, str]) -> None:
    ada.refused(409, "DELETE", f"/tasks/{ids['Part']}/dependencies/{ids['A']}")
    ada.send("DELETE", f"/tasks/{ids['Group']}/dependencies/{ids['A']}")
    assert waits_for(ada, ids["Part"]) == []


def test_a_circle_is_refused(ada: Rest, ids: dict[str, str]) -> None:
    problem = ada.refused(400, "POST", f"/tasks/{ids['A']}/dependencies", {"task_ids": [ids["Part"]]})
    assert problem["details"]["cycle"] == [ids["A"], ids["Part"]]


def test_tasks_that_are_not_there_are_all_reported(ada: Rest, ids: dict[str, str]) -> None:
    other = ada.plan(make_project("ledger"), "X")["X"]
    body = {"task_ids": [ids["A"], other, "task_00000000"]}
    problem = ada.refused(400, "POST", f"/tasks/{ids['B']}/dependencies", body)
    assert [each["at"] for each in problem["problems"]] == ["task_ids[1]", "task_ids[2]"]
    assert waits_for(ada, ids["B"]) == []


@pytest.mark.parametrize(
    "body", [{}, {"task_ids": []}, {"task_ids": "A"}, {"task_ids": [1]}, {"task_ids": ["x"] * 201}]
)
def test_a_body_that_names_no_tasks_is_refused(ada: Rest, ids: dict[str, str], body: dict[str, object]) -> None:
    ada.refused(400, "POST", f"/tasks/{ids['B']}/dependencies", body)
