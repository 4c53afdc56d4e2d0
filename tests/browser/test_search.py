"""Searching from anywhere, by keyboard and on a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tasks.models import Project
from tests.browser.conftest import Open
from tests.factories import make_project, make_task

PHONE = {"viewport": {"width": 390, "height": 844}}


@pytest.fixture
def project(transactional_db: None) -> Project:
    project = make_project("ledger")
    make_task(project, title="Feed the okapi", description="Leaves, and not too many of them.")
    return project


def test_slash_focuses_search_and_words_find_their_task(open_page: Open, project: Project) -> None:
    page = open_page("/projects/ledger/")
    page.keyboard.press("Escape")
    page.goto(page.url.replace("/projects/ledger/", "/tokens/"))
    page.locator("h1").click()
    page.keyboard.press("/")
    expect(page.locator("header input[name=q]")).to_be_focused()
    page.keyboard.type("leaves")
    page.keyboard.press("Enter")
    expect(page.locator("mark")).to_have_text("Leaves")
    page.get_by_role("link", name="Feed the okapi").click()
    expect(page.locator("h1")).to_contain_text("Feed the okapi")


def test_on_the_page_of_search_a_stroke_leads_to_its_own_field(open_page: Open, project: Project) -> None:
    page = open_page("/search/?q=leaves")
    page.keyboard.press("/")
    expect(page.locator("main input[name=q]")).to_be_focused()


def test_on_a_phone_slash_opens_the_search_page(open_page: Open, project: Project) -> None:
    page = open_page("/", **PHONE)
    expect(page.locator("header input[name=q]")).to_be_hidden()
    page.keyboard.press("/")
    page.wait_for_url("**/search/")
    expect(page.locator("main input[name=q]")).to_be_focused()


def test_every_shortcut_is_listed_once(open_page: Open, project: Project) -> None:
    page = open_page("/search/")
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.locator("#keys kbd", has_text="/")).to_have_count(1)


def test_search_narrows_without_javascript(open_page: Open, project: Project) -> None:
    page = open_page("/search/", java_script_enabled=False)
    page.locator("main input[name=q]").fill("okapi")
    page.locator("select[name=kind]").select_option("session")
    page.locator(".filters button").click()
    expect(page.locator("#no-results")).to_be_visible()
    page.locator("#search-everywhere").click()
    expect(page.get_by_role("link", name="Feed the okapi")).to_be_visible()
