"""What is proposed for the archive, and what is not."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from maintenance.found import Found
from maintenance.selectors.archivable import archivable
from maintenance.selectors.scope import of_project, of_task
from tasks.choices import Status
from tasks.identity.actor import Actor
from tasks.models import Event, Project, Task
from tasks.services.archive import archive
from tests.factories import make_dependency, make_event, make_plan, make_project, make_task

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def project() -> Project:
    return make_project("shop")


def plan_of(project: Project, status: str, leaves: list[str], days: float) -> Task:
    """Make a plan that has been quiet for some days."""
    plan = make_plan(project, len(leaves), statuses=leaves)
    done = {"completed_at": NOW} if status == Status.COMPLETED else {}
    Task.objects.filter(pk=plan.pk).update(status=status, **done)
    quiet(plan, days)
    return plan


def quiet(plan: Task, days: float) -> None:
    at = NOW - timedelta(days=days)
    Task.objects.filter(root=plan).update(active_at=at, updated_at=at)
    Task.objects.filter(pk=plan.pk).update(active_at=at, updated_at=at)


def reasons(project: Project, now: datetime = NOW) -> dict[str, object]:
    return {found.subject: found.evidence["reason"] for found in archivable(of_project(project), now)}


CASES = [
    ("completed", "completed", ["completed", "cancelled"], 90),
    ("abandoned", "cancelled", ["cancelled", "completed"], 14),
    ("failed", "active", ["failed", "blocked", "completed"], 60),
    ("stale", "active", ["pending", "completed"], 30),
    ("stale", "pending", ["blocked"], 30),
]


@pytest.mark.parametrize(("reason", "status", "leaves", "days"), CASES)
def test_a_plan_is_proposed_from_its_limit_on(
    project: Project, reason: str, status: str, leaves: list[str], days: int
) -> None:
    plan = plan_of(project, status, leaves, days + 0.01)
    plan_of(project, status, leaves, days - 0.01)
    (found,) = archivable(of_project(project), NOW)
    assert (found.subject, found.proposal, found.task_pk) == (plan.public_id, "archive", plan.pk)
    expected = {"reason": reason, "days": days, "limit": days, "tasks": len(leaves) + 1, "last_event": None}
    assert found.evidence == expected


def test_a_project_sets_its_own_limits(project: Project) -> None:
    project.settings = {"maintenance": {"archive_after_days": {"completed": 1}}}
    plan = plan_of(project, "completed", ["completed"], 2)
    assert reasons(project) == {plan.public_id: "completed"}


def test_an_event_anywhere_in_a_plan_counts_as_activity(project: Project) -> None:
    plan = plan_of(project, "completed", ["completed"], 200)
    event = make_event(plan.children.get(), created_at=NOW - timedelta(days=100))
    (found,) = archivable(of_project(project), NOW)
    assert (found.since, found.evidence["last_event"]) == (event.created_at, event.pk)
    Event.objects.filter(pk=event.pk).update(created_at=NOW - timedelta(days=10))
    assert reasons(project) == {}


def test_nothing_is_proposed_from_the_future(project: Project) -> None:
    plan_of(project, "completed", ["completed"], -300)
    plan_of(project, "completed", ["completed"], 200)
    assert len(reasons(project)) == 1
    assert reasons(project, NOW - timedelta(days=190)) == {}


def test_what_is_held_or_waits_for_a_review_is_not_proposed(project: Project) -> None:
    plan_of(project, "active", ["active", "pending"], 200)
    plan_of(project, "active", ["in_review", "failed"], 200)
    plan_of(project, "in_review", ["completed"], 200)
    assert reasons(project) == {}


def test_what_an_unfinished_task_elsewhere_waits_for_is_not_proposed(project: Project) -> None:
    needed = plan_of(project, "active", ["pending", "completed"], 200)
    done = plan_of(project, "completed", ["completed"], 200)
    other = make_plan(project, 1)
    make_dependency(other.children.get(), needed.children.first())
    make_dependency(other.children.get(), done.children.get())
    assert reasons(project) == {done.public_id: "completed"}


@pytest.mark.parametrize("over", ["cancelled", "completed", "archived"])
def test_an_open_task_below_a_parent_that_is_over_is_an_orphan_and_is_archived(project: Project, over: str) -> None:
    plan = plan_of(project, "active", ["pending"], 8)
    parent = make_task(project, parent=plan, status="completed" if over == "archived" else over)
    task = make_task(project, parent=parent)
    if over == "archived":
        Task.objects.filter(pk=parent.pk).update(archived_at=NOW)
    quiet(plan, 8)
    assert reasons(project) == {task.public_id: "orphaned"}
    archive(task=task, actor=Actor.system())
    assert reasons(project) == {}


def test_a_scope_of_one_task_is_about_no_other(project: Project) -> None:
    plan = plan_of(project, "completed", ["completed"], 200)
    plan_of(project, "completed", ["completed"], 200)
    assert [found.subject for found in archivable(of_task(plan), NOW)] == [plan.public_id]
    assert archivable(of_task(plan.children.get()), NOW) == []


def test_what_is_proposed_can_be_archived(project: Project) -> None:
    for _, status, leaves, days in CASES:
        plan_of(project, status, leaves, days)
    found: list[Found] = archivable(of_project(project), NOW)
    assert len(found) == len(CASES)
    for each in found:
        archive(task=Task.objects.get(pk=each.task_pk), actor=Actor.system())
    assert not Task.objects.on_board().exists()


def test_the_number_of_queries_does_not_grow(
    project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        plan_of(project, "completed", ["completed"], 200)
        plan_of(project, "active", ["pending", "completed"], 200)
    with django_assert_num_queries(5):
        archivable(of_project(project), NOW)
