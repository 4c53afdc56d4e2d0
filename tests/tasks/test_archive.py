"""Archiving and restoring: what is refused, what is said, and that nothing is lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from artifacts.reports.brief import brief_of
from artifacts.search.service import search
from orchestrator_site.accounts.owner import local_owner
from orchestrator_site.kernel.errors import Conflict
from tasks.choices import Status
from tasks.identity.actor import Actor
from tasks.models import Event, Project, Task
from tasks.selectors import counts
from tasks.selectors.overview import overview
from tasks.services import archive as service
from tasks.services.archive import archive, restore
from tasks.services.claim import claim
from tasks.services.leases import free_run_out, renew
from tasks.services.steer import cancel, reopen
from tests.factories import html_of, make_dependency, make_plan, make_project, make_session, make_task
from tests.properties import all_rows

pytestmark = pytest.mark.django_db
ADA = Actor(kind="person", name="ada")


@pytest.fixture
def project() -> Project:
    return make_project("shop")


def rows() -> dict[str, Any]:
    """Every row but events."""
    return {name: found for name, found in all_rows().items() if name != "Event"}


def subtasks(plan: Task) -> list[Task]:
    return list(Task.objects.filter(root=plan).order_by("position"))


def begun_plan(project: Project, statuses: list[str]) -> Task:
    plan = make_plan(project, len(statuses), statuses=statuses)
    Task.objects.filter(pk=plan.pk).update(status=Status.ACTIVE)
    return plan


def status(task: Task) -> str:
    return Task.objects.get(pk=task.pk).status


@pytest.mark.parametrize("state", sorted(set(Status) - {Status.ACTIVE}))
def test_archive_and_restore_leave_every_row_of_a_plan_as_it_was(project: Project, state: str) -> None:
    plan = make_plan(project, 3, statuses=[state, "pending", "completed"], status=Status.PENDING)
    Task.objects.filter(root=plan, status__in=["pending", "needs_revision"]).update(is_ready=True)
    before = rows()
    assert archive(task=plan, actor=ADA, reason="Later").tasks_total == 4
    assert not Task.objects.on_board().exists() and not Task.objects.filter(is_ready=True).exists()
    assert restore(task=plan, actor=ADA).tasks_total == 4
    assert rows() == before


def test_an_event_names_the_task_the_reason_and_how_many_went(project: Project) -> None:
    plan = make_plan(project, 3)
    archive(task=plan, actor=ADA, reason="Later")
    restore(task=plan, actor=ADA, reason="Now")
    said = list(Event.objects.filter(task=plan).values_list("verb", "actor_name", "after"))
    assert said == [
        ("archive", "ada", {"reason": "Later", "tasks": 4, "task_id": plan.public_id}),
        ("restore", "ada", {"reason": "Now", "tasks": 4, "task_id": plan.public_id}),
    ]


def test_restoring_brings_back_only_what_went_together(project: Project) -> None:
    plan = make_plan(project, 3, statuses=["completed"], status="completed", completed_at=timezone.now())
    first, *_ = subtasks(plan)
    archive(task=first, actor=ADA)
    archive(task=plan, actor=ADA)
    restore(task=plan, actor=ADA)
    assert [task.archived_at is None for task in subtasks(plan)] == [False, True, True]
    restore(task=first, actor=ADA)
    assert Task.objects.on_board().count() == 4


def test_two_archivings_stay_apart_when_the_clock_is_set_back(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    monkeypatch.setattr(service.timezone, "now", lambda: now)
    plan = make_plan(project, 3, statuses=["completed"], status="completed", completed_at=now)
    first = subtasks(plan)[0]
    archive(task=first, actor=ADA)
    archive(task=plan, actor=ADA)
    restore(task=plan, actor=ADA)
    assert Task.objects.get(pk=first.pk).archived_at is not None


def test_a_held_task_keeps_its_plan_on_the_board_and_the_error_names_the_holder(project: Project) -> None:
    plan = make_plan(project, 2, statuses=["active", "pending"])
    with pytest.raises(Conflict, match="Claude Code"):
        archive(task=plan, actor=ADA)
    assert Task.objects.on_board().count() == 3 and not Event.objects.exists()


def test_a_lease_that_is_over_goes_with_its_task_and_is_not_renewed(project: Project) -> None:
    session = make_session(project)
    over = timezone.now() - timedelta(minutes=1)
    plan = make_plan(project, 0)
    task = make_task(project, parent=plan, status="active", lease_session=session, lease_expires_at=over)
    before = rows()
    archive(task=plan, actor=ADA)
    assert free_run_out(project=project) == [] and renew(session) == 0
    with pytest.raises(Conflict, match="archived"):
        claim(task=task, actor=Actor.assistant(session))
    restore(task=plan, actor=ADA)
    assert rows() == before


def test_what_an_unfinished_task_elsewhere_waits_for_stays_and_is_named(project: Project) -> None:
    needed, plan = make_plan(project, 2), make_plan(project, 1)
    need, waiting = subtasks(needed)[0], subtasks(plan)[0]
    make_dependency(waiting, need)
    with pytest.raises(Conflict) as refused:
        archive(task=needed, actor=ADA)
    assert refused.value.details == {"waiting": waiting.public_id, "waits_for": need.public_id}
    archive(task=plan, actor=ADA)
    archive(task=needed, actor=ADA)


@pytest.mark.parametrize("state", ["completed", "cancelled"])
def test_dependents_elsewhere_hear_that_a_finished_dependency_went_and_came_back(project: Project, state: str) -> None:
    needed = make_plan(project, 2, statuses=[state, "completed"], status="completed", completed_at=timezone.now())
    plan = make_plan(project, 1)
    need, waiting = subtasks(needed)[0], subtasks(plan)[0]
    make_dependency(waiting, need)
    archive(task=needed, actor=ADA)
    restore(task=needed, actor=ADA)
    said = list(Event.objects.filter(task=waiting).values_list("verb", "after"))
    assert said == [(f"dependency_{way}", {"task_id": need.public_id}) for way in ("archived", "restored")]


def test_what_waits_for_a_cancelled_task_that_was_archived_can_start_once_it_was_restored_and_done(
    project: Project,
) -> None:
    needed = make_plan(project, 1, statuses=["cancelled"], status="cancelled")
    need, waiting = subtasks(needed)[0], make_plan(project, 1)
    make_dependency(subtasks(waiting)[0], need)
    archive(task=needed, actor=ADA)
    with pytest.raises(Conflict, match="archived"):
        reopen(task=needed, actor=ADA)
    restore(task=needed, actor=ADA)
    assert status(reopen(task=need, actor=ADA).task) == "pending"


def test_a_parent_follows_when_its_last_open_subtask_goes_and_comes_back(project: Project) -> None:
    plan = begun_plan(project, ["completed", "pending"])
    task = subtasks(plan)[1]
    archive(task=task, actor=ADA)
    assert status(plan) == "completed"
    restore(task=task, actor=ADA)
    assert status(plan) == "active" and Task.objects.get(pk=task.pk).is_ready


def test_a_parent_stays_when_a_finished_subtask_goes_whatever_comes_after(project: Project) -> None:
    plan = begun_plan(project, ["completed", "pending"])
    done, open_ = subtasks(plan)
    archive(task=done, actor=ADA)
    assert status(plan) == "active"
    cancel(task=open_, actor=ADA)
    assert status(plan) == "completed"


@pytest.mark.parametrize("others", ["cancelled", "completed"])
def test_an_open_task_leaves_its_parent_only_with_something_to_follow(project: Project, others: str) -> None:
    plan = begun_plan(project, [others, "pending"])
    if others == "completed":
        assert archive(task=subtasks(plan)[1], actor=ADA).tasks_total == 1
        return
    with pytest.raises(Conflict) as refused:
        archive(task=subtasks(plan)[1], actor=ADA)
    assert refused.value.details == {"parent_task_id": plan.public_id}


def test_a_task_is_restored_after_what_it_belongs_to(project: Project) -> None:
    plan = make_plan(project, 0)
    group = make_task(project, parent=plan)
    task = make_task(project, parent=group)
    archive(task=plan, actor=ADA)
    with pytest.raises(Conflict) as refused:
        restore(task=task, actor=ADA)
    assert refused.value.details == {"archived": plan.public_id}


def test_an_archived_plan_is_out_of_counts_and_lists_but_found_and_read(project: Project) -> None:
    plan = make_plan(project, 2, title="Lighthouse", statuses=["completed"], status="completed")
    Task.objects.filter(pk=plan.pk).update(completed_at=timezone.now())
    archive(task=plan, actor=ADA)
    seen = overview(project, None)
    assert (counts.of_project(project), seen.counts, seen.last_finished) == ({}, {}, None)
    assert brief_of(subtasks(plan)[0]).text
    assert [hit.task.pk for hit in search("Lighthouse", project=project).hits] == [plan.pk]


@pytest.mark.parametrize("page", ["", "timeline/", "graph/", "synthesis/"])
def test_the_pages_of_an_archived_plan_show_its_tasks(client: Client, project: Project, page: str) -> None:
    client.force_login(local_owner())
    plan = begun_plan(project, ["completed", "pending"])
    before = client.get(f"/tasks/{plan.public_id}/{page}")
    archive(task=plan, actor=ADA)
    for task in subtasks(plan):
        shown = task.title in html_of(before)
        assert (task.title in html_of(client.get(f"/tasks/{plan.public_id}/{page}"))) == shown, task.title
    assert counts.of_plan(Task.objects.get(pk=plan.pk)) == {"pending": 1, "completed": 1}


def test_an_archived_plan_is_read_without_what_was_archived_before(project: Project) -> None:
    plan = begun_plan(project, ["completed", "completed"])
    first, _ = subtasks(plan)
    archive(task=first, actor=ADA)
    archive(task=Task.objects.get(pk=plan.pk), actor=ADA)
    assert counts.of_plan(Task.objects.get(pk=plan.pk)) == {"completed": 1}
    assert counts.of_project(project) == {}
