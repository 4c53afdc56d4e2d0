"""/plans: a tree of tasks in one request, or nothing."""

from __future__ import annotations

import pytest

from tasks.models import Dependency, Event, Project, Session, Task
from tests.factories import make_project
from tests.rest import Rest, rest, subtask

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Rest:
    return rest()


@pytest.fixture
def project() -> Project:
    return make_project("shop")


def body(*subtasks: object, **more: object) -> dict[str, object]:
    return {"project": "shop", "description": "Build a shop\nwith a till", "subtasks": list(subtasks), **more}


def test_a_plan_is_made_with_its_whole_tree(ada: Rest, project: Project) -> None:
    group = {"title": "Group", "description": "x", "subtasks": [subtask("C", dependencies=["b"])]}
    response = ada.send(
        "POST",
        "/plans",
        body(
            subtask("A", priority="urgent", estimated_effort="2 h", context="Python only"),
            subtask("B", key="b", dependencies=["A"], review=True, complexity_level="simple"),
            group,
            complexity_level="complex",
        ),
    )
    made = response.json()
    rows = {row["title"]: row for row in made["subtasks"]}
    assert (response.status_code, response["Location"]) == (201, f"/api/v1/plans/{made['plan']}")
    assert (made["project"], made["title"], made["status"]) == ("shop", "Build a shop", "pending")
    assert list(rows) == ["A", "B", "Group", "C"]
    assert rows["B"]["key"] == "b"
    assert rows["B"]["dependencies"] == [rows["A"]["task_id"]]
    assert rows["C"]["parent_task_id"] == rows["Group"]["task_id"]
    a = ada.get(f"/tasks/{rows['A']['task_id']}")
    assert (a["priority"], a["estimated_effort"], a["context"]) == ("urgent", "2 h", "Python only")
    assert (a["complexity_level"], a["is_ready"], a["plan"]) == ("complex", True, made["plan"])
    b = ada.get(f"/tasks/{rows['B']['task_id']}")
    assert (b["complexity_level"], b["review"], b["is_ready"]) == ("simple", True, False)


def test_every_mistake_is_reported_and_nothing_is_made(ada: Rest, project: Project) -> None:
    problem = ada.refused(
        400,
        "POST",
        "/plans",
        body(subtask("A", specialist_type="wizard"), subtask(" "), subtask("C", dependencies=["Z"])),
    )
    places = {each["at"] for each in problem["problems"]}
    assert {"subtasks[0].specialist_type", "subtasks[1].title", "subtasks[2].dependencies[0]"} <= places
    assert Task.objects.count() == 0


def test_a_circle_is_refused(ada: Rest, project: Project) -> None:
    ada.refused(400, "POST", "/plans", body(subtask("A", dependencies=["B"]), subtask("B", dependencies=["A"])))
    assert Task.objects.count() == 0


def test_a_plan_below_a_task_divides_it(ada: Rest, project: Project) -> None:
    task = ada.plan(project, "A")["A"]
    response = ada.send("POST", "/plans", body(subtask("Part"), parent_task_id=task))
    made = response.json()
    assert response["Location"] == f"/api/v1/tasks/{made['parent_task_id']}"
    root = ada.get(response["Location"])
    assert (root["parent_task_id"], root["plan"]) == (task, made["plan"])
    assert ada.get(f"/tasks/{task}")["is_leaf"] is False


def test_a_parent_of_another_project_is_not_found(ada: Rest, project: Project) -> None:
    task = ada.plan(make_project("ledger"), "A")["A"]
    ada.refused(404, "POST", "/plans", body(subtask("Part"), parent_task_id=task))


def test_subtasks_of_any_sensible_depth_are_taken_and_no_others(ada: Rest, project: Project) -> None:
    def nested(levels: int) -> dict[str, object]:
        inner: dict[str, object] = subtask("Leaf")
        for number in range(levels):
            inner = {"title": f"Group {number}", "description": "x", "subtasks": [inner]}
        return inner

    assert len(ada.post("/plans", body(nested(50)))["subtasks"]) == 51
    assert "nested too deeply" in ada.refused(400, "POST", "/plans", body(nested(450)))["detail"]


def test_a_thousand_subtasks_are_planned_at_once(ada: Rest, project: Project) -> None:
    subtasks = [subtask(f"T{n}", dependencies=[f"T{n - 1}"] if n else []) for n in range(1000)]
    assert len(ada.post("/plans", body(*subtasks))["subtasks"]) == 1000
    assert Dependency.objects.count() == 999


def test_a_plan_is_read_with_how_far_it_is(ada: Rest, project: Project) -> None:
    ids = ada.plan(project, "A", "B")
    ada.post(f"/tasks/{ids['A']}/complete", {"summary": "Done", "detailed_work": "x"})
    plan = ada.get(f"/plans/{ids['plan']}")
    assert plan["progress"] == {
        "completed_subtasks": 1,
        "total_subtasks": 2,
        "progress_percentage": 50,
        "counts": {"pending": 1, "completed": 1},
    }
    assert plan == ada.get(f"/tasks/{ids['plan']}")


def test_a_task_that_is_no_plan_is_none(ada: Rest, project: Project) -> None:
    ada.refused(404, "GET", f"/plans/{ada.plan(project, 'A')['A']}")


def test_a_plan_names_who_planned_it(ada: Rest, project: Project) -> None:
    ada.plan(project, "A")
    names = set(Event.objects.filter(verb="plan").values_list("actor_name", flat=True))
    assert names == {Session.objects.get().principal}


def test_a_large_plan_is_no_large_body_for_others(ada: Rest, project: Project) -> None:
    text = "x" * 150_000
    subtasks = [subtask(f"T{n}", context=text) for n in range(40)]
    assert len(ada.post("/plans", body(*subtasks))["subtasks"]) == 40


def test_a_body_of_too_many_objects_is_refused_before_any_is_checked(ada: Rest, project: Project) -> None:
    many = [{"subtasks": [{}] * 1000} for _ in range(11)]
    problem = ada.refused(413, "POST", "/plans", body(*many))
    assert (problem["code"], problem["detail"]) == ("too_large", "The body has more than 10,000 objects.")


@pytest.mark.parametrize(
    ("at", "subtasks"),
    [("subtasks", [None] * 2001), ("subtasks[0].dependencies", [subtask("A", dependencies=[1] * 201)])],
)
def test_a_list_that_is_too_long_is_one_mistake(ada: Rest, project: Project, at: str, subtasks: list[object]) -> None:
    (wrong,) = ada.refused(400, "POST", "/plans", body(*subtasks))["problems"]
    assert wrong["at"] == at
