"""A clock that was set back keeps no task held, and no working assistant from renewing its lease."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from maintenance.services.run import run
from tasks.models import Session, Task
from tasks.services import leases
from tests.assistants import Assistant, subtask

AHEAD = timedelta(hours=9)


@pytest.fixture
def task(ada: Assistant) -> Task:
    """Return a task that ada claimed before the clock was set back."""
    ada.call("plan_task", description="A job", subtasks=[subtask("First")])
    task = Task.objects.get(public_id=ada.call("execute_subtask")["task_id"])
    Task.objects.filter(pk=task.pk).update(lease_expires_at=timezone.now() + AHEAD)
    Session.objects.update(last_seen_at=timezone.now() + AHEAD)
    return task


def lease_of(task: Task) -> timedelta:
    task.refresh_from_db()
    assert task.lease_expires_at
    return task.lease_expires_at - timezone.now()


def test_a_holder_that_is_gone_loses_the_task_after_one_lease_by_the_job(task: Task) -> None:
    run(name="free_expired_leases")
    assert lease_of(task) <= leases.duration(task.project)
    Task.objects.filter(pk=task.pk).update(lease_expires_at=timezone.now())
    run(name="free_expired_leases")
    task.refresh_from_db()
    assert (task.status, task.lease_expires_at) == ("pending", None)


def test_another_assistant_that_wants_work_shortens_the_lease_without_any_job(task: Task, bob: Assistant) -> None:
    assert bob.send("execute_subtask").payload["code"] == "not_ready"
    assert lease_of(task) <= leases.duration(task.project)


def test_a_holder_that_works_on_renews_its_lease(task: Task, ada: Assistant) -> None:
    Task.objects.filter(pk=task.pk).update(lease_expires_at=timezone.now() + timedelta(minutes=1))
    ada.call("get_status")
    assert lease_of(task) > timedelta(minutes=1)
    assert Session.objects.get().last_seen_at <= timezone.now()
