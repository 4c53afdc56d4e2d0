"""The page of a project's settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tasks.models import Event, Project
from tests.factories import html_of, make_project, make_task, make_user, signed_in

pytestmark = pytest.mark.django_db

ADDRESS = "/projects/ledger/settings/"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project("ledger", name="Ledger", root_path=str(tmp_path))


@pytest.fixture
def owner(client: Client, project: Project) -> Client:
    return signed_in(client, is_staff=True, is_superuser=True)


def seen_on(html: str) -> str:
    found = re.search(r'name="seen" value="([^"]+)"', html)
    assert found
    return found[1]


def send(client: Client, *, seen: str | None = None, **typed: str) -> Any:
    shown = seen_on(html_of(client.get(ADDRESS))) if seen is None else seen
    return client.post(ADDRESS, {"name": "Ledger", "lease_minutes": "", **typed, "seen": shown})


def errors_of(page: str, field: str) -> str:
    (reported,) = re.findall(rf'<ul class="errorlist" id="{field}-errors">(.*?)</ul>', page, re.DOTALL)
    return str(reported)


def test_it_shows_what_holds_and_what_does_not_change(owner: Client, project: Project) -> None:
    Project.objects.update(settings={"lease_minutes": 45, "review": True})
    page = html_of(owner.get(ADDRESS))
    assert 'value="45"' in page and 'name="review" checked' in page and 'name="mirror" aria' in page
    assert f"<code>{project.root_path}</code>" in page and f"/admin/tasks/project/{project.pk}/change/" in page


def test_changed_settings_are_saved_with_an_event(owner: Client, project: Project) -> None:
    answer = send(owner, name="The ledger", lease_minutes="7.5", review="on", mirror="on")
    assert (answer.status_code, answer["Location"]) == (302, ADDRESS)
    project.refresh_from_db()
    assert (project.name, project.settings) == ("The ledger", {"lease_minutes": 7.5, "review": True, "mirror": True})
    send(owner, name="The ledger")
    project.refresh_from_db()
    assert project.settings == {}
    assert [event.verb for event in Event.objects.all()] == ["edit_project"] * 2


def test_sending_the_same_changes_nothing(owner: Client, project: Project) -> None:
    Project.objects.update(settings={"review": False})
    assert send(owner)["Location"] == ADDRESS
    assert not Event.objects.exists()


def test_settings_that_the_page_does_not_know_are_kept(owner: Client, project: Project) -> None:
    Project.objects.update(settings={"colour": "red", "review": True})
    assert "colour" in html_of(owner.get(ADDRESS))
    assert send(owner, lease_minutes="10").status_code == 302
    project.refresh_from_db()
    assert project.settings == {"colour": "red", "lease_minutes": 10}


@pytest.mark.parametrize("minutes", ["0", "-1", "1441", "soon", "nan", "inf"])
def test_a_lease_that_cannot_be_is_refused_beside_its_field(owner: Client, project: Project, minutes: str) -> None:
    answer = send(owner, lease_minutes=minutes, review="on")
    page = answer.content.decode()
    assert answer.status_code == 400
    assert errors_of(page, "lease_minutes")
    assert f'value="{minutes}"' in page and 'name="review" checked' in page
    project.refresh_from_db()
    assert project.settings == {}


def test_the_time_zone_of_recurring_plans_is_set_and_checked(owner: Client, project: Project) -> None:
    assert send(owner, time_zone="Europe/Berlin").status_code == 302
    project.refresh_from_db()
    assert project.settings == {"time_zone": "Europe/Berlin"}
    wrong = send(owner, time_zone="Moon/Base")
    assert wrong.status_code == 400
    assert errors_of(wrong.content.decode(), "time_zone")


@pytest.mark.parametrize("name", ["", " ", "x" * 201])
def test_a_name_that_cannot_be_is_refused_beside_its_field(owner: Client, project: Project, name: str) -> None:
    answer = send(owner, name=name)
    assert answer.status_code == 400
    assert errors_of(answer.content.decode(), "name")


def test_a_mirror_without_a_folder_is_refused_and_says_why(owner: Client, project: Project) -> None:
    Project.objects.update(root_path="/nowhere/at/all")
    assert 'id="no-folder"' in html_of(owner.get(ADDRESS))
    answer = send(owner, mirror="on")
    assert answer.status_code == 400
    assert errors_of(answer.content.decode(), "mirror")


def test_concurrent_changes_are_not_overwritten(owner: Client, project: Project) -> None:
    seen = seen_on(html_of(owner.get(ADDRESS)))
    Project.objects.update(name="Bob's", settings={"review": True})
    answer = send(owner, seen=seen, name="Mine")
    page = answer.content.decode()
    assert answer.status_code == 412
    assert "Bob&#x27;s" in page and 'value="Mine"' in page
    project.refresh_from_db()
    assert project.name == "Bob's"
    assert send(owner, seen=seen_on(page), name="Mine").status_code == 302
    project.refresh_from_db()
    assert (project.name, project.settings) == ("Mine", {})


def test_hostile_names_are_text(owner: Client, project: Project) -> None:
    Project.objects.update(name="<script>alert(1)</script>", root_path="/<b>\u202e")
    assert "<script>alert" not in html_of(owner.get(ADDRESS))


def test_only_who_rules_the_site_sees_it(client: Client, project: Project) -> None:
    assert client.get(ADDRESS).status_code == 302
    client.force_login(make_user("rev", is_staff=True))
    assert client.get(ADDRESS).status_code == 403
    assert client.post(ADDRESS, {"name": "Mine"}).status_code == 403
    assert "/settings/" not in html_of(client.get("/projects/ledger/specialists/"))


def test_a_project_that_is_not_there_is_not_found(owner: Client) -> None:
    assert owner.get("/projects/nowhere/settings/").status_code == 404


def test_folders_are_shown_and_changed(owner: Client, project: Project, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    answer = send(owner, root_path=str(first), paths=f"{second}\r\n\r\n{tmp_path}\r\n")
    assert answer.status_code == 302
    project.refresh_from_db()
    assert project.root_path == str(first)
    assert {each.path for each in project.paths.all()} == {str(second), str(tmp_path)}
    page = html_of(owner.get(ADDRESS))
    assert f'name="root_path" value="{first}"' in page and f"{tmp_path}\n{second}\n" in page
    assert send(owner, root_path=str(first), paths=f"{second}\n{tmp_path}").status_code == 302
    assert Event.objects.count() == 1


def test_folders_that_cannot_be_are_kept_in_the_form_with_why(owner: Client, project: Project, tmp_path: Path) -> None:
    page = send(owner, root_path="relative", paths=f"{tmp_path}\n/no/such").content.decode()
    assert "folder" in errors_of(page, "root_path") and "line " in errors_of(page, "paths")
    assert 'value="relative"' in page and "/no/such" in page
    (tmp_path / "other").mkdir()
    make_task(make_project("other", root_path=str(tmp_path / "other")))
    page = send(owner, root_path=str(tmp_path / "other")).content.decode()
    assert 'id="taken"' in page
    project.refresh_from_db()
    assert project.root_path == str(tmp_path)
