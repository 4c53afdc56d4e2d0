"""Who may approve: not whoever delivered, and not by planning around the project's review policy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from orchestrator_site.kernel.identity import Principal, Scope, with_included
from orchestrator_site.tokens.service import create_token, principal_of
from tasks.models import Project, Task
from tests.assistants import Assistant, subtask
from tests.factories import make_project, make_user
from tests.rest import ALL, Rest, rest


def scoped(folder: Path, *scopes: Scope, token: str = "") -> Assistant:
    made = Assistant(folder)
    made.caller = replace(made.caller, principal=Principal("ada", scopes=with_included(scopes), token_id=token))
    made.call("initialize_session", project_dir=str(folder))
    return made


def delivered(assistant: Assistant, **more: Any) -> str:
    made = assistant.call("plan_task", description="A job", subtasks=[subtask("A", review=True)])
    task: str = made["subtasks"][0]["task_id"]
    assistant.complete(task, **more)
    return task


def approve(assistant: Assistant, task: str, **more: Any) -> str:
    outcome = assistant.send("update_task", task_id=task, action="approve", **more)
    return str(outcome.payload["code"] if outcome.is_error else outcome.payload["status"])


def test_who_delivered_does_not_approve_and_another_does(ada: Assistant, bob: Assistant) -> None:
    task = delivered(ada)
    assert approve(ada, task) == "forbidden"
    assert Task.objects.get(public_id=task).status == "in_review"
    assert approve(bob, task) == "completed"


def test_nor_in_another_session_of_the_connection(ada: Assistant) -> None:
    task = delivered(ada)
    other = ada.call("initialize_session", new_session=True)["session_id"]
    assert approve(ada, task, session_id=other) == "forbidden"
    own = delivered(ada, session_id=other)
    assert approve(ada, own) == "forbidden"


@pytest.mark.parametrize(("token", "outcome"), [("laptop", "forbidden"), ("desk", "completed")])
def test_nor_with_the_same_token_on_another_connection(db: None, folder: Path, token: str, outcome: str) -> None:
    task = delivered(scoped(folder, Scope.WRITE, token="laptop"))
    reviewer = scoped(folder, Scope.WRITE, Scope.REVIEW, token=token)
    assert approve(reviewer, task) == outcome


def test_a_project_may_allow_it(ada: Assistant) -> None:
    task = delivered(ada)
    Project.objects.update(settings={"self_approval": True})
    assert approve(ada, task) == "completed"


def test_a_plan_is_not_approved_by_whoever_finished_it(ada: Assistant, bob: Assistant) -> None:
    ids = ada.plan("A")
    Task.objects.filter(public_id=ids["plan"]).update(requires_review=True)
    ada.complete(ids["A"])
    assert approve(ada, ids["plan"]) == "forbidden"
    assert approve(bob, ids["plan"]) == "completed"


def test_a_delivery_after_a_revision_is_judged_by_who_made_it(ada: Assistant, bob: Assistant) -> None:
    task = delivered(ada)
    bob.call("update_task", task_id=task, action="request_revision", reason="Better")
    bob.complete(task)
    assert approve(bob, task) == "forbidden"
    assert approve(ada, task) == "completed"


@pytest.mark.django_db
def test_over_rest_another_token_approves() -> None:
    project, first, second = make_project("shop"), rest(), rest()
    task = first.plan(project, subtasks=[{**subtask("A"), "review": True}])["A"]
    first.post(f"/tasks/{task}/complete", {"summary": "Done", "detailed_work": "x"})
    first.refused(403, "POST", f"/tasks/{task}/approve", {})
    assert second.post(f"/tasks/{task}/approve")["task"]["status"] == "completed"


@pytest.mark.django_db
@pytest.mark.parametrize("is_delivered_over_rest", [True, False])
def test_nor_with_the_same_token_through_the_other_entry_point(folder: Path, is_delivered_over_rest: bool) -> None:
    owner = make_user("ada", is_staff=True, is_superuser=True)
    secret = create_token(owner=owner, name="laptop", scopes=ALL)[1]
    over_rest, over_mcp = Rest(Client(headers={"Authorization": f"Bearer {secret}"})), Assistant(folder)
    over_mcp.caller = replace(over_mcp.caller, principal=principal_of(secret))
    over_mcp.call("initialize_session", project_dir=str(folder))
    if is_delivered_over_rest:
        task = over_rest.plan(Project.objects.get(), subtasks=[{**subtask("A"), "review": True}])["A"]
        over_rest.post(f"/tasks/{task}/complete", {"summary": "Done", "detailed_work": "x"})
        assert approve(over_mcp, task) == "forbidden"
    else:
        task = delivered(over_mcp)
        over_rest.refused(403, "POST", f"/tasks/{task}/approve", {})
    assert rest().post(f"/tasks/{task}/approve")["task"]["status"] == "completed"


@pytest.mark.django_db
@pytest.mark.parametrize("approver", ["ada", "grace"])
def test_a_person_approves_what_another_delivered(client: Client, approver: str) -> None:
    project = make_project("shop")
    people = {name: make_user(name, is_staff=True) for name in ("ada", "grace")}
    task = rest().plan(project, subtasks=[{**subtask("A"), "review": True}])["A"]
    client.force_login(people["ada"])
    Rest(client).post(f"/tasks/{task}/complete", {"summary": "Done"})
    client.force_login(people[approver])
    client.post(reverse("act-verb", args=[task, "approve"]), {"reason": ""})
    assert Task.objects.get(public_id=task).status == ("in_review" if approver == "ada" else "completed")


def test_a_token_with_review_alone_reviews_over_mcp(db: None, folder: Path) -> None:
    worker = scoped(folder, Scope.WRITE, token="worker")
    first, second = delivered(worker), delivered(worker)
    reviewer = scoped(folder, Scope.REVIEW, token="reviewer")
    assert approve(reviewer, first) == "completed"
    sent_back = reviewer.call("update_task", task_id=second, action="request_revision", reason="Better")
    assert sent_back["status"] == "needs_revision"


def test_review_alone_changes_nothing_else(db: None, folder: Path) -> None:
    task = delivered(scoped(folder, Scope.WRITE, token="worker"))
    reviewer = scoped(folder, Scope.REVIEW, token="reviewer")
    calls: list[dict[str, Any]] = [
        {"action": "cancel"},
        {"action": "block", "reason": "x"},
        {"title": "Mine"},
        {"clear": ["description"]},
        {"action": "request_revision", "reason": "x", "description": "Mine"},
        {"action": "approve", "add_dependencies": [task]},
        {},
    ]
    for call in calls:
        assert reviewer.refused("update_task", task_id=task, **call)["code"] == "forbidden"
    reader = scoped(folder, Scope.READ, token="reader")
    assert reader.refused("update_task", task_id=task, action="approve")["code"] == "forbidden"
    assert scoped(folder, Scope.WRITE).refused("update_task", task_id=task, action="approve")["code"] == "forbidden"


@pytest.mark.parametrize(
    ("scopes", "asked", "is_reviewed"),
    [
        ((Scope.WRITE,), False, True),
        ((Scope.WRITE,), None, True),
        ((Scope.WRITE, Scope.REVIEW), None, True),
        ((Scope.WRITE, Scope.REVIEW), False, False),
        ((Scope.WRITE,), True, True),
    ],
)
def test_a_project_that_reviews_all_reviews_all(
    ada: Assistant, scopes: tuple[Scope, ...], asked: bool | None, is_reviewed: bool
) -> None:
    ada.call("initialize_session")
    Project.objects.update(settings={"review": True})
    planner = scoped(ada.folder, *scopes)
    group = {"title": "G", "description": "x", "subtasks": [subtask("B", review=asked)]}
    planner.call("plan_task", description="A job", subtasks=[subtask("A", review=asked), group])
    assert set(Task.objects.filter(is_leaf=True).values_list("requires_review", flat=True)) == {is_reviewed}


def test_it_holds_for_what_was_planned_before(db: None, folder: Path) -> None:
    writer = scoped(folder, Scope.WRITE)
    group = {"title": "G", "description": "x", "subtasks": [subtask("B", review=False)]}
    made = writer.call("plan_task", description="A job", subtasks=[subtask("A"), group])
    ids = {row["title"]: row["task_id"] for row in made["subtasks"]}
    Project.objects.update(settings={"review": True})
    assert [writer.complete(ids[title])["status"] for title in ("A", "B")] == ["in_review", "in_review"]
    reviewer = scoped(folder, Scope.REVIEW, token="reviewer")
    assert approve(reviewer, ids["B"]) == "completed"
    assert Task.objects.get(public_id=ids["G"]).status == "in_review"
    Project.objects.update(settings={})
    other = scoped(folder, Scope.REVIEW, token="other")
    assert approve(other, ids["A"]) == approve(other, ids["G"]) == "completed"
    assert Task.objects.get(public_id=made["parent_task_id"]).status == "completed"


def test_what_a_reviewer_left_out_stays_out(db: None, folder: Path) -> None:
    made = scoped(folder, Scope.WRITE, Scope.REVIEW).call(
        "plan_task", description="A job", subtasks=[subtask("A", review=False)]
    )
    Project.objects.update(settings={"review": True})
    assert scoped(folder, Scope.WRITE).complete(made["subtasks"][0]["task_id"])["status"] == "completed"
