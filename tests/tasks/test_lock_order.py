"""What changes lock first, and how often chains are asked for, where the database locks rows and tasks are many."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from itertools import pairwise
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orchestrator_site.kernel.identity import Scope
from tasks.choices import Priority, Status
from tasks.identity.actor import Actor
from tasks.models import Task
from tasks.services import deferrals, dependencies, holds
from tasks.services.archive import archive
from tasks.services.complete import complete
from tasks.services.order import boost
from tasks.services.review import approve
from tasks.services.steer import cancel
from tests.factories import make_dependency, make_plan, make_project, make_task

pytestmark = pytest.mark.django_db
ADA = Actor(kind="person", name="ada", scopes=frozenset(Scope))
CHANGES: list[tuple[str, Callable[[Task], Any]]] = [
    (Status.PENDING, lambda task: complete(task=task, actor=ADA, summary="Done")),
    (Status.IN_REVIEW, lambda task: approve(task=task, actor=ADA)),
    (Status.PENDING, lambda task: boost(task=task, actor=ADA, priority=Priority.HIGH)),
]


def line(length: int) -> list[Task]:
    """Return tasks of a plan, each of which waits for the one before."""
    plan = make_plan(make_project(), length)
    tasks = list(Task.objects.filter(parent=plan).order_by("position"))
    for need, task in pairwise(tasks):
        make_dependency(task, need)
    return tasks


@pytest.mark.parametrize(("status", "change"), CHANGES)
def test_the_graph_is_locked_before_resources_and_tasks(
    status: str, change: Callable[[Task], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(make_project(), 1)
    task = make_task(plan.project, parent=plan, status=status, is_ready=status == "pending")
    locks: list[str] = []
    monkeypatch.setattr(dependencies, "lock_graph", lambda _: locks.append("graph"))
    monkeypatch.setattr(holds, "lock_all", lambda _: locks.append("resources"))
    change(task)
    assert locks[:2] == ["graph", "resources"]


def test_a_cancel_asks_no_more_often_in_a_longer_chain() -> None:
    numbers = []
    for tasks in (line(3), line(30)):
        with CaptureQueriesContext(connection) as captured:
            cancel(task=tasks[-1], actor=ADA, reason="Why")
        numbers.append(len(captured))
        assert Task.objects.get(pk=tasks[0].pk).chain == len(tasks) - 1
    assert numbers[0] == numbers[1]


def test_a_circle_keeps_no_other_project_from_being_counted_by_the_migration() -> None:
    round_about, straight = line(2), line(2)
    make_dependency(round_about[0], round_about[1])
    Task.objects.update(chain=1, unblocks=0)
    import_module("tasks.migrations.0017_chains").count(apps, None)
    rows = Task.objects.filter(pk__in=[task.pk for task in straight]).order_by("pk").values_list("chain", "unblocks")
    assert list(rows) == [(2, 1), (1, 0)]


@pytest.mark.parametrize("leave", [cancel, archive])
def test_what_is_finished_or_archived_is_not_started_by_the_end_of_a_deferral(leave: Callable[..., Any]) -> None:
    first, _ = line(2)
    other = make_task(first.project, parent=first.parent)
    Task.objects.filter(pk=other.pk).update(not_before=timezone.now())
    other.refresh_from_db()
    leave(task=other, actor=ADA, reason="Why")
    assert deferrals.end_due(project=first.project, now=timezone.now(), limit=9) == []
