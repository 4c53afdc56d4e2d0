"""What changes lock first, and how often chains are asked for, where the database locks rows and tasks are many."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from itertools import pairwise
from typing import Any
from unittest.mock import Mock

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orchestrator_site.kernel.identity import Scope
from tasks.choices import Priority, Status
from tasks.identity.actor import Actor
from tasks.models import Task, TaskQuerySet
from tasks.roles import catalogue
from tasks.services import deferrals, dependencies, holds
from tasks.services.archive import archive
from tasks.services.complete import complete
from tasks.services.edit import Changes, edit
from tasks.services.order import boost, order
from tasks.services.review import approve, request_revision
from tasks.services.steer import cancel, reopen
from tests.factories import make_dependency, make_plan, make_project, make_task

pytestmark = pytest.mark.django_db
ADA = Actor(kind="person", name="ada", scopes=frozenset(Scope))
CHANGES: list[tuple[str, str, Callable[[Task], Any]]] = [
    (Status.PENDING, "shared graph", lambda task: complete(task=task, actor=ADA, summary="Done")),
    (Status.IN_REVIEW, "shared graph", lambda task: approve(task=task, actor=ADA)),
    (Status.IN_REVIEW, "graph", lambda task: request_revision(task=task, actor=ADA, reason="Why")),
    (Status.PENDING, "graph", lambda task: cancel(task=task, actor=ADA, reason="Why")),
    (Status.CANCELLED, "graph", lambda task: reopen(task=task, actor=ADA)),
    (Status.PENDING, "graph", lambda task: boost(task=task, actor=ADA, priority=Priority.HIGH)),
]


def line(length: int) -> list[Task]:
    """Return tasks of a plan, each of which waits for the one before."""
    plan = make_plan(make_project(), length)
    tasks = list(Task.objects.filter(parent=plan).order_by("position"))
    for need, task in pairwise(tasks):
        make_dependency(task, need)
    return tasks


@pytest.mark.parametrize(("status", "graph", "change"), CHANGES)
def test_the_graph_is_locked_before_resources_and_tasks_and_shared_by_completions(
    status: str, graph: str, change: Callable[[Task], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(make_project(), 1)
    task = make_task(plan.project, parent=plan, status=status, is_ready=status == "pending")
    locks: list[str] = []
    monkeypatch.setattr(
        dependencies, "lock_graph", lambda _, shared=False: locks.append("shared graph" if shared else "graph")
    )
    monkeypatch.setattr(holds, "lock_all", lambda _: locks.append("resources"))
    change(task)
    assert locks[:2] == [graph, "resources"]


def noted(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return where the keys of tasks will be as they are locked, as a database does that locks rows."""
    locks: list[object] = []
    lock = TaskQuerySet.locked_upwards

    def note(rows: TaskQuerySet) -> TaskQuerySet:
        locks.extend(lock(rows).values_list("pk", flat=True))
        return lock(rows)

    monkeypatch.setattr(TaskQuerySet, "locked_upwards", note)
    monkeypatch.setattr(dependencies, "connection", Mock(features=Mock(has_select_for_update=True)))
    monkeypatch.setattr(dependencies, "lock_graph", lambda *_, **__: None)
    return locks


@pytest.mark.parametrize(
    "change",
    [
        partial(cancel, reason="Why"),
        partial(order, columns={"priority": Priority.HIGH}),
        lambda task, **more: edit(
            task=task, changes=Changes(add_dependencies=[make_task(task.project)]),
            catalogue=catalogue(task.project), **more,
        ),
    ],
)  # fmt: skip
def test_subtasks_are_locked_before_their_group_as_a_claim_locks_them(
    change: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, locks = make_plan(make_project(), 2), noted(monkeypatch)
    change(task=plan, actor=ADA, guard=lambda _: locks.append("group"))
    first, second = Task.objects.filter(parent=plan).order_by("pk")
    assert locks[:4] == [first.pk, second.pk, plan.pk, "group"]


def test_a_group_that_is_needed_is_locked_after_its_subtasks(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = line(2)
    group, locks = make_plan(first.project, 2), noted(monkeypatch)
    dependencies.lock_needed([group.pk, second.pk])
    leaves = Task.objects.leaves().order_by("pk").values_list("pk", flat=True)
    assert locks == [*leaves, group.pk]


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
