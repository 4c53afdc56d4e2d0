"""The tasks that a figure leads to are those that it counts, as far as a list can say so."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from html import unescape

import pytest
from django.db.models import F
from django.test import Client

from tasks.choices import Status
from tasks.identity.actor import Actor
from tasks.insights.addresses import tasks_address, tasks_words
from tasks.insights.choices import Dimension, Name
from tasks.insights.selectors.figures import ENOUGH, figures_of, window_of
from tasks.models import Project, Task
from tasks.services.review import request_revision
from tests.assistants import Assistant
from tests.factories import html_of, make_project, signed_in
from tests.insights.finished import finish

pytestmark = pytest.mark.django_db
ADA = Actor(kind="person", name="ada")


@pytest.fixture
def reader(client: Client) -> Client:
    return signed_in(client, name="rita")


def listed(client: Client, address: str) -> list[str]:
    return re.findall(r'<tr id="task-(\w+)', html_of(client.get(address)))


def links(client: Client, project: Project, query: str = "") -> list[str]:
    page = html_of(client.get(f"/projects/{project.slug}/insights/{query}"))
    return [unescape(each) for each in re.findall(r'href="(/projects/[\w-]+/tasks/\?[^"]*)"', page)]


def set_back(days: int, tasks: Iterable[Task]) -> None:
    """Let everything about some tasks have happened so many days earlier."""
    earlier = timedelta(days=days)
    columns = ("created_at", "started_at", "completed_at", "updated_at")
    for task in tasks:
        Task.objects.filter(pk=task.pk).update(**{name: F(name) - earlier for name in columns})
        task.events.update(created_at=F("created_at") - earlier)
        task.attempts.update(started_at=F("started_at") - earlier, ended_at=F("ended_at") - earlier)


@pytest.mark.parametrize("name", [Name.DONE, Name.LEAD, Name.PLANNED, Name.WAIT, Name.LEASE_LOSS, Name.SUCCESS])
@pytest.mark.parametrize("by", ["", "specialist", "client"])
def test_a_figure_leads_to_the_tasks_of_its_window_alone(
    ada: Assistant, reader: Client, name: Name, by: Dimension
) -> None:
    project = finish(ada, ENOUGH + 2)
    set_back(40, Task.objects.leaves().order_by("pk")[:2])
    figures = figures_of(project)
    figure = figures.of(name, by)[0] if by else figures.get(name)
    assert figure and figure.n == ENOUGH
    address = tasks_address(project, name, figure.dimension, figure.key, since=figures.since)
    assert len(listed(reader, address)) == ENOUGH
    assert address in links(reader, project, f"?by={by}")


def test_a_wait_leads_to_what_was_claimed_and_not_to_what_still_waits(ada: Assistant, reader: Client) -> None:
    claimed = ada.plan("A", "B")["A"]
    ada.call("execute_subtask", task_id=claimed)
    project = Project.objects.get()
    assert listed(reader, tasks_address(project, Name.WAIT, since=window_of(project).start.date())) == [claimed]


def test_a_lease_loss_leads_to_what_was_attempted_in_whatever_state_it_is(ada: Assistant, reader: Client) -> None:
    released = ada.plan("A", "B")["A"]
    ada.call("execute_subtask", task_id=released)
    ada.call("update_task", task_id=released, action="release", reason="Later")
    project = Project.objects.get()
    assert listed(reader, tasks_address(project, Name.LEASE_LOSS, since=window_of(project).start.date())) == [released]


def leads_to(client: Client, project: Project, name: Name) -> set[str]:
    return set(listed(client, tasks_address(project, name, since=window_of(project).start.date())))


def test_what_only_some_tasks_have_leads_to_these(ada: Assistant, reader: Client) -> None:
    project = finish(ada, 5)
    plain, estimated, gated, counted, paid = Task.objects.leaves().order_by("pk")
    Task.objects.filter(pk=estimated.pk).update(effort_minutes=30)
    Task.objects.filter(pk=gated.pk).update(gates=["report"])
    counted.attempts.update(written_tokens=7)
    paid.attempts.update(cost_usd="0.25")
    having = {
        Name.ESTIMATE_ERROR: estimated, Name.GATES_MISSED: gated, Name.GATES_WAIVED: gated,
        Name.TOKENS: counted, Name.COST: paid,
    }  # fmt: skip
    for name, task in having.items():
        assert leads_to(reader, project, name) == {task.public_id}, name
    assert plain.public_id in leads_to(reader, project, Name.DONE)


def test_verdicts_and_what_was_reopened_lead_to_their_tasks(ada: Assistant, reader: Client) -> None:
    project = finish(ada, 4)
    _, reopened, revised, judged_long_ago = Task.objects.leaves().order_by("pk")
    for task in (reopened, judged_long_ago):
        request_revision(task=task, actor=ADA, reason="It breaks")
    Task.objects.filter(pk=revised.pk).update(status=Status.IN_REVIEW, completed_at=None)
    request_revision(task=Task.objects.get(pk=revised.pk), actor=ADA, reason="No tests")
    set_back(40, [judged_long_ago])
    assert leads_to(reader, project, Name.REOPENED) == {reopened.public_id}
    for name in (Name.FIRST_PASS, Name.REVIEW_WAIT):
        assert leads_to(reader, project, name) == {reopened.public_id, revised.public_id}


def test_a_figure_of_too_few_leads_to_them_too(ada: Assistant, reader: Client) -> None:
    project = finish(ada, ENOUGH - 1, "tester")
    address = tasks_address(project, Name.SUCCESS, Dimension.SPECIALIST, "tester", since=figures_of(project).since)
    assert address in links(reader, project, "?by=specialist")


def test_a_link_says_which_tasks_it_shows() -> None:
    assert tasks_words(Name.BYTES) == "completed tasks"
    assert tasks_words(Name.DONE, Dimension.TEMPLATE) == "the template"


def test_a_list_since_a_day_says_so_and_leaves_out_what_is_no_day(reader: Client) -> None:
    project = make_project()
    address = f"/projects/{project.slug}/tasks/?attempted_since="
    assert 'data-filter="attempted_since"' in html_of(reader.get(f"{address}2026-11-01"))
    assert "data-filter" not in html_of(reader.get(f"{address}yesterday"))
