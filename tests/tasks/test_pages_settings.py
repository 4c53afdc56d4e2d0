"""The page of a project's settings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tasks.models import Event, Project
from tasks.project_settings.document import read_value, read_yaml
from tasks.project_settings.schema import NAMED, SECTIONS
from tasks.services.edit_project import edit_project
from tests.factories import html_of, make_project, make_task, make_user, sent, signed_in
from tests.settings_samples import GOOD, document

pytestmark = pytest.mark.django_db

ADDRESS = "/projects/ledger/settings/"
WRONG = {
    "lease_minutes": "1441",
    "time_zone": "Moon/Base",
    "maintenance.archive": "on",
    "maintenance.purge": "on",
    "maintenance.status_documents": "on",
    "maintenance.stale_hours.tester": "soon",
    "maintenance.archive_after_days.completed": "-1",
    "maintenance.purge_after_days": "0",
    "handover.prepare": "on",
    "handover.max_chars": "7",
    "routing.suggest": "act",
    "routing.rebalance": "act",
    "routing.min_confidence": "nan",
    "routing.explore": "0.5",
    "templates.suggest": "act",
    "gates.default": "[prayer]",
    "gates.commands": "{test: {argv: make}}",
    "metrics.daily": "on",
    "metrics.window_days": "0",
}
"""What someone may type into each field, or send instead of a choice."""
YAML_ADDRESS = f"{ADDRESS}yaml/"
FORM, YAML_FORM = '<form class="wide settings"', '<form class="stack"'


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project("ledger", name="Ledger", root_path=str(tmp_path))


@pytest.fixture
def owner(client: Client, project: Project) -> Client:
    return signed_in(client, is_staff=True, is_superuser=True)


def send(client: Client, *, page: str = "", **typed: str) -> Any:
    form = sent(page or html_of(client.get(ADDRESS)), FORM)
    unticked = {name: text for name, text in form.items() if text != ["on"]}
    return client.post(ADDRESS, {**unticked, "name": "Ledger", "lease_minutes": "", **typed})


def preview(client: Client, text: str) -> str:
    """Return the button that saves what the preview of a text shows."""
    page = client.post(YAML_ADDRESS, {"text": text, "preview": "1"}).content.decode()
    (button,) = re.findall(r'name="save" value="([^"]+)"', page)
    return str(button)


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
    page = html_of(owner.get(ADDRESS))
    Project.objects.update(name="Bob's", settings={"review": True, "time_zone": "Europe/Berlin"})
    answer = send(owner, page=page, name="Mine", lease_minutes="7")
    page = answer.content.decode()
    assert answer.status_code == 412
    stale = page.partition('id="stale"')[2].partition("</div>")[0]
    assert "Bob&#x27;s" in stale and "review" not in stale and "lease" not in stale
    again = sent(page, FORM)
    assert (again["name"], again["review"], again["lease_minutes"]) == (["Mine"], ["on"], ["7"])
    project.refresh_from_db()
    assert project.name == "Bob's"
    assert owner.post(ADDRESS, again).status_code == 302
    project.refresh_from_db()
    assert project.name == "Mine"
    assert project.settings == {"review": True, "time_zone": "Europe/Berlin", "lease_minutes": 7}


def test_what_someone_else_changed_stays_where_it_was_not_touched(owner: Client, project: Project) -> None:
    form = sent(html_of(owner.get(ADDRESS)), FORM)
    Project.objects.update(settings={"review": True, "routing": {"suggest": "off"}, "lease_minutes": 5})
    assert owner.post(ADDRESS, {**form, "lease_minutes": "5", "routing.explore": "2"}).status_code == 302
    project.refresh_from_db()
    assert project.settings == {"review": True, "routing": {"suggest": "off", "explore": 2}, "lease_minutes": 5}


def test_a_change_at_the_same_time_as_saving_is_not_overwritten(
    owner: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(**known: Any) -> Any:
        Project.objects.update(settings={"review": True})
        return edit_project(**known)

    monkeypatch.setattr("tasks.views.settings.edit_project", save)
    assert send(owner, lease_minutes="7").status_code == 412
    project.refresh_from_db()
    assert project.settings == {"review": True}


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
    assert f'name="root_path" value="{first}"' in page and f"{tmp_path}\n{second}</textarea>" in page
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


@pytest.mark.parametrize("name", [name for name in GOOD if name != "mirror"])
def test_every_setting_is_saved_shown_and_cleared_again(owner: Client, project: Project, name: str) -> None:
    value = next(value for value in GOOD[name] if value != NAMED[name].default)
    typed = _typed(name, value)
    assert send(owner, **typed).status_code == 302
    project.refresh_from_db()
    assert project.settings == document(name, value)
    page = sent(html_of(owner.get(ADDRESS)), FORM)
    is_yaml = NAMED[name].kind.control == "yaml"
    assert all((read_value(page[each][0], "") == value) if is_yaml else page[each] == [typed[each]] for each in typed)
    usual = NAMED[name].default if NAMED[name].kind.control == "choice" else ""
    cleared = {**page, **dict.fromkeys(typed, usual)}
    if NAMED[name].kind.control == "flag":
        del cleared[name]
    assert owner.post(ADDRESS, cleared).status_code == 302
    project.refresh_from_db()
    assert project.settings == {}


@pytest.mark.parametrize(("field", "text"), WRONG.items())
def test_every_bad_value_is_refused_beside_its_field_and_kept_there(
    owner: Client, project: Project, field: str, text: str
) -> None:
    answer = send(owner, **{field: text})
    page = answer.content.decode()
    assert answer.status_code == 400 and errors_of(page, field)
    assert NAMED.get(field, NAMED["review"]).kind.control == "choice" or sent(page, FORM)[field] == [text]
    project.refresh_from_db()
    assert project.settings == {}


def test_every_setting_that_can_be_mistyped_is_among_these() -> None:
    flags = {name for name, each in NAMED.items() if each.kind.control == "flag"}
    assert {
        next(name for name in NAMED if f"{field}.".startswith(f"{name}.")) for field in WRONG
    } == NAMED.keys() - flags


def _typed(name: str, value: Any) -> dict[str, str]:
    """Return a value as the fields of the form have it."""
    if NAMED[name].kind.is_by_name and isinstance(value, dict):
        return {f"{name}.{each}": str(number) for each, number in value.items()}
    if isinstance(value, bool):
        return {name: "on"} if value else {}
    return {name: json.dumps(value) if isinstance(value, dict | list) else str(value)}


def test_what_was_not_touched_stays_as_it_was_stored(owner: Client, project: Project) -> None:
    kept = {"review": True, "routing": {"suggest": "suggest", "guess": 1}, "gates": {"default": [{"kind": "review"}]}}
    Project.objects.update(settings=kept)
    page = sent(html_of(owner.get(ADDRESS)), FORM)
    assert owner.post(ADDRESS, {**page, "metrics.window_days": "7"}).status_code == 302
    project.refresh_from_db()
    assert project.settings == {**kept, "metrics": {"window_days": 7}}


def test_yaml_that_cannot_be_is_named_beside_its_field_with_its_line(owner: Client) -> None:
    page = send(owner, **{"gates.commands": "test:\n  argv: *all"}).content.decode()
    assert "line 2" in errors_of(page, "gates.commands") and "argv: *all" in page


def test_yaml_that_cannot_be_hides_no_other_mistake(owner: Client) -> None:
    page = send(
        owner, **{"gates.commands": "[", "gates.default": "{", "lease_minutes": "0", "name": ""}
    ).content.decode()
    assert all(errors_of(page, field) for field in ("gates.commands", "gates.default", "lease_minutes", "name"))
    assert "line 1" in errors_of(page, "gates.commands")


def test_every_section_has_an_anchor_and_agents_have_a_page_of_their_own(owner: Client) -> None:
    page = html_of(owner.get(ADDRESS))
    assert all(f'id="{section.name or "general"}"' in page for section in SECTIONS)
    assert "/projects/ledger/agents/settings/" in page


def test_the_document_is_downloaded_as_yaml(owner: Client) -> None:
    Project.objects.update(settings={"review": True, "routing": {"explore": 2}})
    answer = owner.get("/projects/ledger/settings.yaml")
    assert answer["Content-Disposition"] == 'attachment; filename="ledger-settings.yaml"'
    assert read_yaml(answer.content.decode()) == {"review": True, "routing": {"explore": 2}}


def test_pasted_yaml_is_previewed_setting_by_setting_before_it_is_saved(owner: Client, project: Project) -> None:
    Project.objects.update(settings={"review": True, "routing": {"explore": 2}})
    page = html_of(owner.get(YAML_ADDRESS))
    text = "routing: {explore: 3}\nmirror: false\n"
    page = owner.post(YAML_ADDRESS, {**sent(page, YAML_FORM), "text": text, "preview": "1"}).content.decode()
    assert re.findall(r'data-setting="([\w.]+)"', page) == ["review", "mirror", "routing.explore"]
    project.refresh_from_db()
    assert project.settings == {"review": True, "routing": {"explore": 2}}
    button = re.findall(r'name="save" value="([^"]+)"', page)[0]
    assert owner.post(YAML_ADDRESS, {**sent(page, YAML_FORM), "save": button})["Location"] == ADDRESS
    project.refresh_from_db()
    assert project.settings == {"routing": {"explore": 3}, "mirror": False}


def test_an_uploaded_file_is_previewed_too(owner: Client) -> None:
    file = SimpleUploadedFile("settings.yaml", b"review: true")
    page = owner.post(YAML_ADDRESS, {"text": "", "file": file, "preview": "1"}).content.decode()
    assert 'data-setting="review"' in page and "review: true</textarea>" in page


@pytest.mark.parametrize(
    "text", ["review: true\nrouting: {suggest: act}", "review: 1\nreview: 2", "", "- a", "colour: 1"]
)
def test_yaml_that_is_wrong_is_refused_with_its_place_and_kept(owner: Client, project: Project, text: str) -> None:
    for button in ("preview", "save"):
        answer = owner.post(YAML_ADDRESS, {"text": text, button: "1"})
        page = answer.content.decode()
        assert answer.status_code == 400 and 'id="text-errors"' in page and text.replace("'", "&#x27;") in page
    project.refresh_from_db()
    assert project.settings == {}


def test_a_file_that_is_too_large_or_no_text_is_refused(owner: Client) -> None:
    for content, status in ((b"# " + b"x" * 65_536, 413), (b"\xff\xfe", 400)):
        file = SimpleUploadedFile("settings.yaml", content)
        assert owner.post(YAML_ADDRESS, {"file": file, "preview": "1"}).status_code == status


@pytest.mark.parametrize(
    "changed", [{"text": "mirror: false"}, {"file": SimpleUploadedFile("a.yaml", b"mirror: false")}]
)
def test_what_was_not_previewed_is_previewed_before_it_is_saved(
    owner: Client, project: Project, changed: dict[str, Any]
) -> None:
    typed = {"text": "review: true", "save": preview(owner, "review: true")}
    answer = owner.post(YAML_ADDRESS, {**typed, **changed})
    assert answer.status_code == 412 and b'id="stale"' in answer.content and b'data-setting="mirror"' in answer.content
    project.refresh_from_db()
    assert project.settings == {}


def test_yaml_does_not_overwrite_what_someone_else_changed(owner: Client, project: Project) -> None:
    typed = {"text": "review: true", "save": preview(owner, "review: true")}
    Project.objects.update(settings={"self_approval": True})
    answer = owner.post(YAML_ADDRESS, typed)
    assert answer.status_code == 412 and b'data-setting="self_approval"' in answer.content
    project.refresh_from_db()
    assert project.settings == {"self_approval": True}


def test_the_label_of_what_is_typed_says_its_default(owner: Client) -> None:
    page = html_of(owner.get(ADDRESS))
    labels = {name: label for label, name in re.findall(r'<label>((?:(?!<label).)*?)<input[^>]* name="([^"]+)"', page)}
    defaults = {"routing.min_confidence": "0.6", "maintenance.stale_hours.reviewer": "6", "time_zone": "UTC"}
    for name, default in defaults.items():
        assert f"(default {default})" in labels[name], name
    assert "default" not in labels["maintenance.purge_after_days"]
