"""What each switch of maintenance does when it is off, and what is left to whoever asks when it suggests."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from maintenance.choices import Action, Level, ScopeWord
from maintenance.models import Finding, Handover
from maintenance.selectors.archivable import archivable
from maintenance.selectors.scope import of_project
from maintenance.services.coordinate import Request, coordinate
from maintenance.services.handover import prepare
from maintenance.services.purge import purge
from maintenance.services.scan import scan_project
from orchestrator_site.kernel.errors import Conflict
from tasks.choices import Status
from tasks.identity.actor import Actor
from tasks.models import Project, Task
from tests.factories import html_of, make_plan, make_project, signed_in

pytestmark = pytest.mark.django_db
ADA = Actor.system("ada")
LONG_AGO = timedelta(days=1_000)
SWITCHES = {
    Action.ARCHIVE: ("maintenance", "archive"),
    Action.PURGE: ("maintenance", "purge"),
    Action.UPDATE_DOCUMENTATION: ("maintenance", "status_documents"),
    Action.PREPARE_HANDOVER: ("handover", "prepare"),
}
BUTTONS = {
    Action.ARCHIVE: ("maintenance", 'value="archive"'),
    Action.PURGE: ("archive", 'value="purge"'),
    Action.PREPARE_HANDOVER: ("handovers", 'data-act="prepare"'),
}


@pytest.fixture
def project(folder: Path) -> Project:
    return make_project("shop", root_path=str(folder))


@pytest.fixture
def plan(project: Project) -> Task:
    """A plan that was completed long ago."""
    made, then = make_plan(project, 1, statuses=[Status.COMPLETED], status=Status.COMPLETED), timezone.now() - LONG_AGO
    Task.objects.update(created_at=then, updated_at=then, active_at=then, completed_at=then)
    return made


def switch(project: Project, action: Action, value: str) -> None:
    section, name = SWITCHES[action]
    project.settings = {section: {name: value}}
    project.save(update_fields=["settings"])


def ask(project: Project, action: Action, *task_ids: str) -> object:
    request = Request(action=action, scope=ScopeWord.FULL_PROJECT, level=Level.COMPREHENSIVE, task_ids=task_ids)
    return coordinate(project=project, actor=ADA, request=request)


@pytest.mark.parametrize("action", SWITCHES)
def test_what_is_off_is_not_even_done_when_someone_asks(project: Project, action: Action, folder: Path) -> None:
    switch(project, action, "off")
    with pytest.raises(Conflict):
        ask(project, action)
    assert list(folder.iterdir()) == [] and not Handover.objects.exists()


@pytest.mark.parametrize("action", SWITCHES)
@pytest.mark.parametrize("value", ["suggest", "act"])
def test_what_is_on_is_done_or_previewed_when_someone_asks(project: Project, action: Action, value: str) -> None:
    switch(project, action, value)
    assert ask(project, action)


@pytest.mark.parametrize("action", BUTTONS)
def test_a_button_is_there_unless_its_switch_is_off(
    client: Client, project: Project, plan: Task, action: Action
) -> None:
    page, button = BUTTONS[action]
    owner = signed_in(client, is_staff=True, is_superuser=True)
    for value in ("off", "suggest", "act"):
        switch(project, action, value)
        assert (button in html_of(owner.get(f"/projects/shop/{page}/"))) == (value != "off")


def test_scans_propose_nothing_to_archive_where_that_is_off_and_resolve_what_they_proposed(
    project: Project, plan: Task
) -> None:
    scan_project(project)
    assert Finding.objects.open().filter(cause="archivable").count() == 1
    switch(project, Action.ARCHIVE, "off")
    scan_project(project)
    assert archivable(of_project(project), timezone.now()) == []
    assert not Finding.objects.open().filter(cause="archivable").exists()


def test_a_plan_that_someone_names_is_archived_even_where_nothing_is_proposed(project: Project, plan: Task) -> None:
    switch(project, Action.ARCHIVE, "off")
    assert ask(project, Action.ARCHIVE, plan.public_id)


def test_nothing_is_purged_where_that_is_off_not_even_confirmed(project: Project, plan: Task) -> None:
    switch(project, Action.PURGE, "off")
    Task.objects.update(archived_at=timezone.now() - LONG_AGO)
    with pytest.raises(Conflict):
        purge(task=Task.objects.select_related("project").get(pk=plan.pk), actor=ADA, confirmed=True)


def test_no_handover_is_prepared_where_that_is_off(project: Project) -> None:
    switch(project, Action.PREPARE_HANDOVER, "off")
    with pytest.raises(Conflict):
        prepare(scope=of_project(project), actor=ADA)
