"""Due dates and efforts through every entry point: tools, REST and pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db.models import Q
from django.test import Client
from django.utils import timezone

from artifacts.reports.brief import brief_of
from tasks.choices import Status, Verb
from tasks.models import NEVER, Event, Project, Task
from tests.assistants import Assistant, subtask
from tests.factories import fields_with_errors, html_of, make_plan, make_project, make_task, make_user, sent
from tests.rest import Rest, rest

pytestmark = pytest.mark.django_db
BERLIN = {"time_zone": "Europe/Berlin"}
CHRISTMAS = datetime(2030, 12, 24, 22, 59, 59, tzinfo=UTC)
"""The end of the 24th in Berlin."""
EVE = datetime(2030, 12, 23, 23, tzinfo=UTC)
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


@pytest.fixture
def project() -> Project:
    return make_project("shop", settings=BERLIN)


@pytest.fixture
def board(project: Project) -> Rest:
    return rest(project=project)


def plan_by_tool(ada: Assistant, **more: Any) -> Task:
    Project.objects.update(settings=BERLIN)
    made = ada.call("plan_task", description="A job", subtasks=[subtask("A", **more)])
    return Task.objects.get(public_id=made["subtasks"][0]["task_id"])


def plan_by_rest(board: Rest, project: Project, **more: Any) -> Task:
    ids = board.plan(project, subtasks=[subtask("A", **more)])
    return Task.objects.get(public_id=ids["A"])


# Planning


def test_a_tool_plans_with_a_due_date_a_deferral_and_an_effort(ada: Assistant) -> None:
    ada.plan("Before")
    task = plan_by_tool(ada, due="2030-12-24", not_before="2030-12-24", effort="1h30")
    assert (task.due_at, task.not_before, task.effort_minutes) == (CHRISTMAS, EVE, 90)


def test_rest_plans_with_a_due_date_a_deferral_and_an_effort(board: Rest, project: Project) -> None:
    task = plan_by_rest(board, project, due_at="2030-12-24", not_before="2030-12-24", estimated_effort="2-4 hours")
    assert (task.due_at, task.not_before, task.effort_minutes) == (CHRISTMAS, EVE, 180)
    shown = board.get(f"/tasks/{task.public_id}")
    assert datetime.fromisoformat(shown["due_at"]) == CHRISTMAS
    assert datetime.fromisoformat(shown["not_before"]) == EVE
    assert (shown["estimated_effort"], shown["effort_minutes"]) == ("2-4 hours", 180)


def test_without_them_a_task_has_none(board: Rest, project: Project) -> None:
    task = plan_by_rest(board, project, due_at=None, not_before=None)
    assert (task.due_at, task.due, task.not_before, task.effort_minutes) == (NEVER, None, None, None)
    shown = board.get(f"/tasks/{task.public_id}")
    assert (shown["due_at"], shown["not_before"], shown["effort_minutes"]) == (None, None, None)


@pytest.mark.parametrize("name", ["due_at", "not_before"])
def test_a_plan_with_what_is_no_time_is_refused_with_its_place(ada: Assistant, name: str) -> None:
    answer = ada.refused("plan_task", description="A job", subtasks=[subtask("A"), subtask("B", **{name: "soon"})])
    assert answer["code"] == "invalid"
    assert [problem["at"] for problem in answer["details"]["problems"]] == [f"subtasks[1].{name}"]


# Editing


def test_a_tool_edits_and_clears_a_due_date_and_an_effort(ada: Assistant) -> None:
    task = plan_by_tool(ada)
    changed = ada.call("update_task", task_id=task.public_id, due="2030-12-24", effort="2 hours")["changed"]
    assert sorted(changed) == ["due_at", "effort"]
    task.refresh_from_db()
    assert (task.due_at, task.effort_minutes) == (CHRISTMAS, 120)
    ada.call("update_task", task_id=task.public_id, clear=["due_at", "estimated_effort"])
    task.refresh_from_db()
    assert (task.due, task.effort, task.effort_minutes) == (None, "", None)


def test_rest_edits_a_due_date_and_null_clears_it(board: Rest, project: Project) -> None:
    address = f"/tasks/{plan_by_rest(board, project).public_id}"
    edited = board.send("PATCH", address, {"due_at": "2030-12-24T12:00", "estimated_effort": "half a day"}).json()
    assert datetime.fromisoformat(edited["due_at"]) == datetime(2030, 12, 24, 11, tzinfo=UTC)
    assert edited["effort_minutes"] == 240
    cleared = board.send("PATCH", address, {"due_at": None, "estimated_effort": None}).json()
    assert (cleared["due_at"], cleared["estimated_effort"], cleared["effort_minutes"]) == (None, "", None)


def test_the_event_of_an_edit_has_both_due_dates(board: Rest, project: Project) -> None:
    address = f"/tasks/{plan_by_rest(board, project).public_id}"
    board.send("PATCH", address, {"due_at": "2030-12-24"})
    event = Event.objects.get(verb=Verb.EDIT)
    assert (event.before, event.after) == ({"due_at": None}, {"due_at": CHRISTMAS.isoformat()})


def test_an_edit_with_what_is_no_time_is_refused_with_its_place(board: Rest, project: Project) -> None:
    address = f"/tasks/{plan_by_rest(board, project).public_id}"
    problem = board.refused(400, "PATCH", address, {"due_at": "soon"})
    assert [error["at"] for error in problem["problems"]] == ["due_at"]


# Lists


def test_a_list_is_narrowed_and_sorted_by_what_is_due(board: Rest, project: Project) -> None:
    plan = make_plan(project, 0)
    late, soon, never = (make_task(project, parent=plan, due_at=due) for due in (CHRISTMAS, EVE, NEVER))
    leaves = "/tasks?is_leaf=true&ordering=due_at"
    assert [row["task_id"] for row in board.get(leaves)["results"]] == [each.public_id for each in (soon, late, never)]
    before = f"{leaves}&due_before={CHRISTMAS:%Y-%m-%dT%H:%M:%SZ}"
    assert [row["task_id"] for row in board.get(before)["results"]] == [soon.public_id]


def test_what_has_no_due_date_is_due_before_no_time_at_all(board: Rest, project: Project) -> None:
    dated, _ = (make_task(project, due_at=due) for due in (EVE, NEVER))
    found = board.get("/tasks?due_before=9999-01-01T00:00:00Z")["results"]
    assert [row["task_id"] for row in found] == [dated.public_id]


# Pages


def page(client: Client, address: str) -> str:
    client.force_login(make_user(is_staff=True))
    return html_of(client.get(address))


def test_the_edit_page_sets_and_clears_a_due_date_in_the_projects_zone(client: Client, project: Project) -> None:
    task = make_task(project, parent=make_plan(project, 0))
    address = f"/tasks/{task.public_id}/edit/"
    client.post(address, sent(page(client, address)) | {"due_at": "2030-12-24", "effort": "PT2H"})
    task.refresh_from_db()
    assert (task.due_at, task.effort_minutes) == (CHRISTMAS, 120)
    form = sent(html_of(client.get(address)))
    assert form["due_at"] == ["2030-12-24"]
    client.post(address, form | {"due_at": ""})
    task.refresh_from_db()
    assert task.due is None


def test_the_edit_page_keeps_the_hour_of_a_due_date_that_was_not_touched(client: Client, project: Project) -> None:
    task = make_task(project, parent=make_plan(project, 0), due_at=EVE)
    address = f"/tasks/{task.public_id}/edit/"
    client.post(address, sent(page(client, address)) | {"title": "Another"})
    task.refresh_from_db()
    assert (task.title, task.due_at) == ("Another", EVE)


def test_the_edit_page_says_beside_the_field_what_is_no_date(client: Client, project: Project) -> None:
    address = f"/tasks/{make_task(project, parent=make_plan(project, 0)).public_id}/edit/"
    answer = client.post(address, sent(page(client, address)) | {"due_at": "soon"})
    assert (answer.status_code, fields_with_errors(answer.content.decode())) == (400, ["due_at"])


def test_a_task_says_in_words_that_it_is_overdue_until_it_is_finished(client: Client, project: Project) -> None:
    plan = make_plan(project, 0)
    pending = make_task(project, parent=plan, due_at=LONG_AGO)
    done = make_task(project, parent=plan, due_at=LONG_AGO, status=Status.COMPLETED)
    later = make_task(project, parent=plan, due_at=timezone.now() + timedelta(days=2))
    due = [page_of_due(page(client, f"/tasks/{each.public_id}/")) for each in (pending,)]
    due += [page_of_due(html_of(client.get(f"/tasks/{each.public_id}/"))) for each in (done, later)]
    assert ["overdue" in each for each in due] == [True, False, False]


def page_of_due(html: str) -> str:
    return html.partition('<dd id="due">')[2].partition("</dd>")[0]


def test_cards_say_when_a_task_is_due(client: Client, project: Project) -> None:
    plan = make_plan(project, 0)
    make_task(project, parent=plan, due_at=LONG_AGO)
    make_task(project, parent=plan)
    cards = page(client, f"/projects/{project.slug}/board/")
    assert (cards.count("data-due"), cards.count("Overdue")) == (1, 1)


def test_cards_rows_and_trees_say_until_when_a_task_is_deferred_and_for_whom_it_is(
    client: Client, project: Project
) -> None:
    plan = make_plan(project, 0)
    later = timezone.now() + timedelta(days=2)
    make_task(project, parent=plan, not_before=later)
    make_task(project, parent=plan, for_client="codex", for_model="opus-4")
    make_task(project, parent=plan, not_before=later, status=Status.COMPLETED, for_client="codex")
    make_task(project, parent=plan)
    client.force_login(make_user())
    for address in (f"projects/{project.slug}/board", f"projects/{project.slug}/tasks", f"tasks/{plan.public_id}"):
        html = html_of(client.get(f"/{address}/"))
        assert (address, html.count("data-held-back")) == (address, 2)
        assert "opus-4" in html


def test_the_page_shows_an_effort_in_numbers_and_an_unclear_one_in_words(client: Client, project: Project) -> None:
    plan = make_plan(project, 0)
    make_task(project, parent=plan, effort="90 minutes", effort_minutes=90)
    make_task(project, parent=plan, effort="two sprints")
    html = page(client, f"/tasks/{plan.public_id}/")
    assert "1 h 30 min" in html and "two sprints" in html


def test_the_brief_says_when_a_task_is_due(project: Project) -> None:
    assert EVE.isoformat(timespec="minutes") in brief_of(make_task(project, due_at=EVE)).text


# Rows from before


def test_the_upgrade_says_the_efforts_of_existing_tasks_in_numbers(project: Project) -> None:
    plan = make_plan(project, 0)
    words = ["2 hours", "", "two sprints"]
    for effort in words:
        make_task(project, parent=plan, effort=effort)
    import_module("tasks.migrations.0016_effort").fill(apps, None)
    leaves = Task.objects.filter(~Q(pk=plan.pk)).order_by("pk")
    assert list(leaves.values_list("effort_minutes", flat=True)) == [120, None, None]
