"""The archive page: what was archived, why and by whom, search, restore, and what is left of purged plans."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from maintenance.models import Tombstone
from maintenance.selectors.archived import PER_PAGE
from maintenance.services.purge import export_of, purge
from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Project, Task
from tests.factories import html_of, make_event, make_plan, make_project, make_task, make_tombstone, signed_in

pytestmark = pytest.mark.django_db

ADA = Actor(kind="person", name="ada")
ADDRESS, RUN = "/projects/ledger/archive/", "/projects/ledger/maintenance/run/"


@pytest.fixture
def project() -> Project:
    return make_project("ledger", name="Ledger")


@pytest.fixture
def reader(client: Client, project: Project) -> Client:
    return signed_in(client)


@pytest.fixture
def plan(project: Project) -> Task:
    """An archived plan with an archived subtask."""
    now = timezone.now()
    plan = make_plan(project, 0, title="Newsletter import", status=Status.COMPLETED, archived_at=now)
    make_task(project, parent=plan, title="Parse the addresses", status=Status.COMPLETED, archived_at=now)
    make_event(plan, Verb.ARCHIVE, actor_name="bob", after={"reason": "Finished 30 days ago"})
    return plan


def listed(client: Client, query: str = "") -> list[str]:
    return re.findall(r'<tr id="(?:task-)?(\w+)"', html_of(client.get(ADDRESS + query)))


def test_an_empty_archive_says_what_comes_here(reader: Client) -> None:
    assert "Nothing is archived" in html_of(reader.get(ADDRESS))
    assert "Nothing was purged" in html_of(reader.get(f"{ADDRESS}?show=purged"))


def test_an_archived_plan_is_one_row_with_reason_and_actor(reader: Client, plan: Task) -> None:
    assert listed(reader) == [plan.public_id]
    page = html_of(reader.get(ADDRESS))
    assert "Finished 30 days ago" in page and "bob" in page


def test_a_task_archived_below_a_plan_on_the_board_is_a_row(reader: Client, project: Project) -> None:
    task = make_task(project, parent=make_plan(project, 0), archived_at=timezone.now())
    assert listed(reader) == [task.public_id]


def test_what_is_on_the_board_or_in_another_project_is_not_here(reader: Client, project: Project) -> None:
    make_task(project)
    make_task(make_project(), archived_at=timezone.now())
    assert listed(reader) == []


def test_search_finds_words_and_ids_also_below_an_archived_plan(reader: Client, plan: Task) -> None:
    (below,) = Task.objects.filter(parent=plan)
    assert listed(reader, "?q=addresses") == [below.public_id]
    assert listed(reader, f"?q={plan.public_id}") == [plan.public_id]
    assert "Nothing here matches" in html_of(reader.get(f"{ADDRESS}?q=nothing-like-it"))


def test_a_long_archive_has_pages_the_newest_first(reader: Client, project: Project) -> None:
    now = timezone.now()
    made = [make_task(project, archived_at=now - timedelta(minutes=place)) for place in range(PER_PAGE + 1)]
    assert listed(reader) == [task.public_id for task in made[:PER_PAGE]]
    assert listed(reader, "?page=2") == [made[-1].public_id]


def test_readers_are_not_offered_to_restore(reader: Client, plan: Task) -> None:
    assert "Restore" not in html_of(reader.get(ADDRESS)).partition("<main")[2].replace("each can be restored", "")


def test_restoring_is_previewed_and_then_done(client: Client, plan: Task) -> None:
    owner = signed_in(client, is_staff=True)
    asked = {"proposal": "restore", "task_ids": plan.public_id, "preview": "1", "next": ADDRESS}
    shown = html_of(owner.post(RUN, asked))
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', shown.partition("<main")[2]))
    assert "In the archive" in shown and listed(owner) == [plan.public_id]
    assert owner.post(RUN, fields)["Location"] == ADDRESS
    assert listed(owner) == []


def test_purged_plans_are_listed_with_their_export(reader: Client, project: Project) -> None:
    row = make_tombstone(project, title="Price history")
    make_tombstone(make_project())
    page = html_of(reader.get(f"{ADDRESS}?show=purged"))
    assert row.export_name in page and "Price history" in page
    assert listed(reader, "?show=purged") == [row.public_id]
    assert listed(reader, "?show=purged&q=history") == [row.public_id]
    assert listed(reader, "?show=purged&q=newsletter") == []


@pytest.mark.parametrize(("is_owner", "offered"), [(False, False), (True, True)])
def test_only_owners_are_offered_to_purge(client: Client, plan: Task, is_owner: bool, offered: bool) -> None:
    person = signed_in(client, is_staff=True, is_superuser=is_owner)
    assert ('name="action" value="purge"' in html_of(person.get(ADDRESS))) == offered


def test_a_purge_is_previewed_and_deletes_nothing_yet(client: Client, plan: Task) -> None:
    owner = signed_in(client, is_staff=True, is_superuser=True)
    assert "Nothing to do" in html_of(owner.post(RUN, {"action": "purge", "preview": "1"}))
    Task.objects.update(archived_at=timezone.now() - timedelta(days=900))
    shown = html_of(owner.post(RUN, {"action": "purge", "preview": "1"}))
    assert plan.title in shown and "deleted" in shown
    assert Task.objects.filter(pk=plan.pk).exists()


@pytest.fixture
def purged(plan: Task) -> Task:
    Task.objects.update(archived_at=timezone.now() - timedelta(days=900))
    plan = Task.objects.select_related("project").get(pk=plan.pk)
    purge(task=plan, actor=ADA, confirmed=True)
    return plan


def test_a_purged_plan_is_imported_into_the_archive(client: Client, purged: Task) -> None:
    owner = signed_in(client, is_staff=True, is_superuser=True)
    address = f"{ADDRESS}{purged.public_id}/import/"
    assert f'action="{address}"' in html_of(owner.get(f"{ADDRESS}?show=purged"))
    assert owner.post(address)["Location"] == ADDRESS
    assert listed(owner) == [purged.public_id]
    assert f'action="{address}"' not in html_of(owner.get(f"{ADDRESS}?show=purged"))
    assert owner.post(address).status_code == 409


def test_an_import_without_its_file_names_the_file_and_changes_nothing(client: Client, purged: Task) -> None:
    export = export_of(purged.project, purged.public_id)
    export.unlink()
    answer = signed_in(client, is_staff=True, is_superuser=True).post(f"{ADDRESS}{purged.public_id}/import/")
    assert answer.status_code == 404 and export.name in answer.content.decode()
    assert not Task.objects.exists() and Tombstone.objects.get().imported_at is None


def test_only_owners_are_offered_to_import(client: Client, purged: Task) -> None:
    staff = signed_in(client, is_staff=True)
    assert "/import/" not in html_of(staff.get(f"{ADDRESS}?show=purged"))
    assert staff.post(f"{ADDRESS}{purged.public_id}/import/").status_code == 403
