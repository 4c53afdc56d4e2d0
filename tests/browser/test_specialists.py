"""Writing a specialist in Chromium: the brief at once, by keyboard, and without JavaScript."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tasks.models import Project, Specialist
from tests.browser.conftest import Open
from tests.factories import make_project, make_task

EDIT = "/projects/ledger/specialists/tester/edit/"


@pytest.fixture
def project(transactional_db: None) -> Project:
    project = make_project("ledger")
    make_task(project, specialist="tester", title="Weigh it", description="All of it.")
    return project


def _write(page: Page, text: str) -> None:
    page.locator("textarea[name=role_definition]").fill(text)


def test_a_preview_comes_in_place_and_leaves_what_is_typed(open_page: Open, project: Project) -> None:
    page = open_page(EDIT)
    _write(page, "You weigh every gram.")
    page.evaluate("window.stayed = true")
    page.locator("button[value=preview]").click()
    expect(page.locator("#preview")).to_contain_text("You weigh every gram.")
    expect(page.locator("#preview")).to_contain_text("Weigh it")
    page.locator("select[name=task]").select_option("")
    page.locator("button[value=preview]").click()
    expect(page.locator("#preview")).to_contain_text("tester_000000")
    expect(page.locator("textarea[name=role_definition]")).to_have_value("You weigh every gram.")
    assert page.evaluate("window.stayed")
    assert not Specialist.objects.exists()


@pytest.mark.parametrize("window", [{}, {"java_script_enabled": False}], ids=["with scripts", "without"])
def test_a_role_is_previewed_saved_and_reset(open_page: Open, project: Project, window: dict[str, Any]) -> None:
    page = open_page(EDIT, **window)
    _write(page, "You weigh every gram.")
    page.locator("button[value=preview]").click()
    expect(page.locator("#preview")).to_contain_text("You weigh every gram.")
    page.locator("button[value=save]").click()
    expect(page.locator("#messages .success")).to_be_visible()
    expect(page.get_by_text("You weigh every gram.")).to_be_visible()
    page.locator("[data-verb=reset]").click()
    page.locator("form[action$='/reset/'] button.danger").click()
    expect(page.locator("[data-source=default]")).to_be_visible()
    assert not Specialist.objects.exists()


def test_concurrent_changes_are_shown_next_to_the_input(
    open_page: Open, project: Project, complaints: list[str]
) -> None:
    page = open_page(EDIT)
    _write(page, "Mine.")
    Specialist.objects.create(project=project, name="tester", role_definition="Theirs.")
    page.locator("button[value=save]").click()
    page.locator("#stale summary").click()
    expect(page.get_by_text("Theirs.")).to_be_visible()
    expect(page.locator("textarea[name=role_definition]")).to_have_value("Mine.")
    page.locator("button[value=save]").click()
    expect(page.locator("#messages .success")).to_be_visible()
    assert (
        complaints.pop() == "Failed to load resource: the server responded with a status of 412 (Precondition Failed)"
    )


def test_settings_are_set_on_a_phone(open_page: Open, project: Project) -> None:
    page = open_page("/projects/ledger/settings/", viewport={"width": 390, "height": 844})
    page.locator("input[name=review]").check()
    page.locator("input[name=lease_minutes]").fill("45")
    page.locator("form.wide button.primary").click()
    expect(page.locator("#messages .success")).to_be_visible()
    project.refresh_from_db()
    assert project.settings == {"lease_minutes": 45, "review": True}
