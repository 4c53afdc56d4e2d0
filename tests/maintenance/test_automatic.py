"""What maintenance does by itself: only what a project switches on, and only there."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from maintenance.models import Handover, Operation, Tombstone
from maintenance.registry import jobs
from maintenance.services import automatic
from maintenance.services.run import run
from maintenance.services.undo import undo
from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Event, Project, Task
from tests.factories import make_plan, make_project

pytestmark = pytest.mark.django_db
YEAR = timedelta(days=365)
SWITCHES = {
    "archive_eligible": "maintenance.archive",
    "purge_eligible": "maintenance.purge",
    "prepare_handovers": "handover.prepare",
    "update_status_documents": "maintenance.status_documents",
}


def project_with(*switches: str, **fields: Any) -> Project:
    settings: dict[str, Any] = {}
    for section, _, name in (each.partition(".") for each in switches):
        settings.setdefault(section, {})[name] = "act"
    return make_project(settings=settings, **fields)


def finished_plan(project: Project) -> Task:
    """Make a plan that was completed a year ago."""
    then = timezone.now() - YEAR
    plan = make_plan(project, 2, statuses=[Status.COMPLETED], status=Status.COMPLETED)
    Task.objects.filter(project=project).update(created_at=then, updated_at=then, active_at=then, completed_at=then)
    return plan


def archived() -> int:
    return Task.objects.filter(archived_at__isnull=False).count()


@pytest.mark.parametrize("name", SWITCHES)
def test_a_job_does_nothing_in_projects_that_do_not_switch_it_on(name: str, folder: Path) -> None:
    others = [switch for job, switch in SWITCHES.items() if job != name]
    for project in (make_project(), project_with(*others, root_path=str(folder))):
        finished_plan(project)
    events = Event.objects.count()
    run(name=name)
    assert (archived(), Handover.objects.count(), list(folder.iterdir())) == (0, 0, [])
    assert Event.objects.count() == events


def test_what_is_eligible_is_archived_by_the_system_with_the_reason() -> None:
    plan = finished_plan(project_with("maintenance.archive"))
    assert "1 plans" in run(name="archive_eligible")
    assert archived() == 3
    event = Event.objects.get(task=plan, verb=Verb.ARCHIVE)
    assert (event.actor_kind, event.actor_name) == ("system", "maintenance")
    assert "0 plans" in run(name="archive_eligible")
    undo(operation=Operation.objects.get(), actor=Actor("person", "grace"))
    assert archived() == 0


def test_a_run_archives_a_bounded_number_and_the_next_one_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    project = project_with("maintenance.archive")
    for _ in range(3):
        finished_plan(project)
    monkeypatch.setattr(automatic, "BATCH", 2)
    assert ["2 plans" in run(name="archive_eligible"), "1 plans" in run(name="archive_eligible")] == [True, True]


def test_a_handover_is_prepared_once_per_change() -> None:
    project = project_with("handover.prepare")
    make_plan(project)
    run(name="prepare_handovers")
    run(name="prepare_handovers")
    assert Handover.objects.filter(project=project).count() == 1


def test_status_documents_are_written_and_a_project_that_fails_keeps_none_from_the_others(folder: Path) -> None:
    project_with("maintenance.status_documents")
    project_with("maintenance.status_documents", root_path=str(folder))
    result = run(name="update_status_documents")
    assert (folder / ".task_orchestrator" / "status" / "STATUS.md").exists()
    assert "1 projects failed" in result


def test_what_was_archived_long_ago_is_purged_where_that_is_switched_on() -> None:
    kept, purged = (finished_plan(project_with(switch)) for switch in ("maintenance.archive", "maintenance.purge"))
    Task.objects.update(archived_at=timezone.now() - 2 * YEAR)
    assert "1 plans of 1 projects" in run(name="purge_eligible")
    assert list(Task.objects.filter(parent=None)) == [kept]
    assert Tombstone.objects.get().public_id == purged.public_id


def test_the_jobs_of_switches_run_each_day() -> None:
    assert {jobs()[name].every for name in SWITCHES} == {timedelta(days=1)}
