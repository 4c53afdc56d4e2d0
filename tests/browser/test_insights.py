"""The page of insights in Chromium: read, divided, followed to its tasks, printed, on a phone and in the dark."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tasks.choices import Status, Verb
from tasks.models import Project, Task
from tests.browser.conftest import Open
from tests.factories import make_attempt, make_event, make_plan, make_project, make_session

INSIGHTS = "/projects/ledger/insights/"
NUMBER = 6
WINDOWS: dict[str, dict[str, Any]] = {
    "desk": {"viewport": {"width": 1440, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}},
    "dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
    "without scripts": {"java_script_enabled": False},
}


@pytest.fixture(autouse=True)
def project(transactional_db: None) -> Project:
    """A project whose tasks were planned, claimed and completed, each by the same assistant."""
    project = make_project("ledger")
    session = make_session(project, client_name="codex", model="gpt-5")
    plan = make_plan(project, NUMBER, title="Keep the ledger", statuses=[Status.COMPLETED])
    Task.objects.filter(parent=plan).update(specialist="tester", lease_number=1)
    for task in Task.objects.filter(parent=plan):
        make_event(task, Verb.PLAN, after={"status": Status.PENDING})
        make_event(task, Verb.CLAIM, session=session, after={"status": Status.ACTIVE, "lease_number": 1})
        make_event(task, Verb.COMPLETE, session=session, after={"status": Status.COMPLETED, "lease_number": 1})
        make_attempt(task, session=session, client="codex", model="gpt-5", outcome=Verb.COMPLETE)
    return project


def _is_within_the_window(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.parametrize("window", WINDOWS)
def test_a_figure_is_divided_and_followed_to_its_tasks(open_page: Open, window: str) -> None:
    page = open_page(INSIGHTS, **WINDOWS[window])
    expect(page.locator("#figure-done")).to_contain_text(str(NUMBER))
    page.get_by_role("navigation", name="By").get_by_role("link", name="Specialist").click()
    row = page.locator("tr[data-key=tester]").first
    row.get_by_role("link", name=re.compile("done of")).click()
    page.wait_for_url(re.compile(r"/tasks/\?kind=leaf&status=completed&completed_since=[\d-]+&specialist=tester$"))
    expect(page.locator("tr[id^=task-]")).to_have_count(NUMBER)


@pytest.mark.parametrize("window", ["desk", "phone"])
@pytest.mark.parametrize("query", ["", "?by=specialist", "?by=model"])
def test_no_window_is_too_narrow_for_it(open_page: Open, window: str, query: str) -> None:
    assert _is_within_the_window(open_page(INSIGHTS + query, **WINDOWS[window]))


def test_the_table_of_a_drawing_opens_by_the_keyboard(open_page: Open) -> None:
    page = open_page(INSIGHTS)
    page.locator("#per-day summary").press("Enter")
    expect(page.locator("#per-day table")).to_be_visible()


def test_printed_it_keeps_figures_and_drawings_and_drops_what_is_clicked(open_page: Open) -> None:
    page = open_page(INSIGHTS)
    page.emulate_media(media="print")
    expect(page.locator("#figures")).to_be_visible()
    expect(page.locator("#per-day svg")).to_be_visible()
    expect(page.locator("#per-day table")).to_be_visible()
    expect(page.locator("#project-tabs")).to_be_hidden()
    assert _is_within_the_window(page)


def test_it_is_one_of_the_tabs_of_the_project(open_page: Open) -> None:
    page = open_page("/projects/ledger/")
    page.locator("#project-tabs").get_by_role("link", name="Insights").click()
    expect(page.locator("#project-tabs [aria-current=page]")).to_have_text("Insights")
