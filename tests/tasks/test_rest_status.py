"""Status and synthesis over REST: where a project or a plan stands, and what came of it."""

from __future__ import annotations

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tasks.models import Project
from tests.factories import make_plan, make_project, make_task
from tests.rest import Rest, rest, subtask

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Rest:
    return rest()


@pytest.fixture
def project() -> Project:
    return make_project("shop")


def test_a_project_says_where_it_stands(ada: Rest, project: Project) -> None:
    ids = ada.plan(project, subtasks=[subtask("A"), subtask("B"), subtask("C", review=True), subtask("D")])
    ada.post(f"/tasks/{ids['A']}/claim")
    ada.post(f"/tasks/{ids['B']}/hand-back", {"summary": "Half", "reason": "The rest"})
    ada.post(f"/tasks/{ids['C']}/complete", {"summary": "Done", "detailed_work": "x"})
    status = ada.get("/projects/shop/status")
    assert status["progress"]["counts"] == {"pending": 1, "active": 1, "in_review": 1, "needs_revision": 1}
    assert [(row["task_id"], row["whose"]) for row in status["in_progress"]] == [(ids["A"], "yours")]
    assert [(row["task_id"], row["reason"]) for row in status["needs_revision"]] == [(ids["B"], "The rest")]
    assert (status["needs_revision_total"], status["waits_for_a_person_total"]) == (1, 1)
    assert [row["task_id"] for row in status["waits_for_a_person"]] == [ids["C"]]
    assert status["next_ready"]["task_id"] == ids["B"]
    assert rest().get("/projects/shop/status")["in_progress"][0]["whose"] == "held"


def test_looking_opens_no_session(ada: Rest, project: Project) -> None:
    make_plan(project, 3)
    ada.get("/projects/shop/status")
    assert ada.get("/sessions")["results"] == []


def test_whose_a_task_is_is_seen_from_the_session_that_asks(ada: Rest, project: Project) -> None:
    task = ada.plan(project, "A")["A"]
    session = ada.post("/sessions", {"project": "shop"})["session_id"]
    ada.post(f"/tasks/{task}/claim", Session_Id=session)
    assert ada.get("/projects/shop/status", Session_Id=session)["in_progress"][0]["whose"] == "yours"
    assert ada.get("/projects/shop/status")["in_progress"][0]["whose"] == "held"


def test_a_task_whose_holder_is_gone_is_free(ada: Rest, project: Project) -> None:
    plan = make_plan(project, 1)
    make_task(project, parent=plan, status="active", lease_expires_at=timezone.now())
    assert ada.get("/projects/shop/status")["in_progress"][0]["whose"] == "free"


def test_a_plan_says_where_it_stands_apart_from_others(ada: Rest, project: Project) -> None:
    first, second = (ada.plan(project, title) for title in ("A", "B"))
    status = ada.get(f"/plans/{second['plan']}/status")
    assert (status["plan"], status["progress"]["total_subtasks"]) == (second["plan"], 1)
    assert status["next_ready"]["task_id"] == second["B"]
    ada.post(f"/tasks/{first['A']}/claim")
    assert ada.get(f"/plans/{second['plan']}/status")["in_progress"] == []


def test_a_status_is_bounded_on_any_board(
    ada: Rest, project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_plan(project, 200, statuses=["blocked", "active", "needs_revision", "pending"])
    ada.get("/projects/shop/status")
    with django_assert_num_queries(10):
        response = ada.send("GET", "/projects/shop/status")
    assert len(response.content) < 6000
    assert response.json()["waits_for_a_person_total"] == 50


def test_a_synthesis_is_honest_about_what_is_missing(ada: Rest, project: Project) -> None:
    ids = ada.plan(project, subtasks=[subtask("A"), subtask("B", dependencies=["A"])])
    ada.post(f"/tasks/{ids['A']}/complete", {"summary": "Chose SQLite", "detailed_work": "x" * 12_534})
    synthesis = ada.get(f"/plans/{ids['plan']}/synthesis")
    assert (synthesis["complete"], synthesis["parts_not_shown"]) == (False, 0)
    assert [part["title"] for part in synthesis["parts"]] == ["A", "B"]
    assert "1 of 2 parts are completed" in synthesis["headline"]
    assert "Chose SQLite" in synthesis["report"]
    assert "12,534 characters" in synthesis["report"]
    ada.post(f"/tasks/{ids['B']}/complete", {"summary": "Done", "detailed_work": "x"})
    assert ada.get(f"/plans/{ids['plan']}/synthesis")["complete"] is True


def test_a_synthesis_is_markdown_for_who_asks_for_it(ada: Rest, project: Project) -> None:
    plan = ada.plan(project, "A")["plan"]
    text = ada.send("GET", f"/plans/{plan}/synthesis?detail=full", Accept="text/markdown")
    assert text["Content-Type"] == "text/markdown; charset=utf-8"
    assert text.content.decode() == ada.get(f"/plans/{plan}/synthesis?detail=full")["report"]
    assert "Accept" in text["Vary"]
    ada.refused(404, "GET", "/plans/task_00000000/synthesis", Accept="text/markdown")
    ada.refused(400, "GET", f"/plans/{plan}/synthesis?detail=some")


def test_a_group_has_a_synthesis_of_its_own(ada: Rest, project: Project) -> None:
    group = {"title": "Group", "description": "x", "subtasks": [subtask("Part")]}
    ids = ada.plan(project, subtasks=[subtask("A"), group])
    assert [part["title"] for part in ada.get(f"/tasks/{ids['Group']}/synthesis")["parts"]] == ["Part"]
