"""The maintenance and archive pages in a browser: preview, apply, snooze, restore, with and without JavaScript."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from maintenance.choices import Cause, State
from maintenance.models import Finding, Operation
from tasks.choices import Status
from tasks.models import Project, Task
from tests.browser.axe import violations
from tests.browser.conftest import Open
from tests.factories import make_finding, make_operation, make_plan, make_project, make_task, make_tombstone

ADDRESS, ARCHIVE = "/projects/ledger/maintenance/", "/projects/ledger/archive/"
PHONE = {"width": 390, "height": 844}
WITHOUT = {"java_script_enabled": False}
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def project(transactional_db: None) -> Project:
    return make_project("ledger", name="Ledger")


@pytest.fixture
def over(project: Project) -> Task:
    """A task whose lease is over, with a finding that says so."""
    ended = timezone.now() - timedelta(hours=3)
    plan = make_plan(project, 0, title="Import")
    task = make_task(project, parent=plan, title="Parse", status=Status.ACTIVE, lease_expires_at=ended)
    make_finding(task, proposal="release", evidence={"holder": "codex", "n": 38}, advice="Release it.")
    return task


@pytest.fixture
def archived(project: Project) -> Task:
    return make_plan(project, 0, title="Newsletter", status=Status.COMPLETED, archived_at=timezone.now())


@pytest.mark.parametrize("window", [{}, WITHOUT, {"viewport": PHONE}])
def test_a_finding_is_previewed_and_then_done(open_page: Open, over: Task, window: dict[str, Any]) -> None:
    page = open_page(ADDRESS, **window)
    page.get_by_role("button", name="Release").click()
    expect(page.locator("#preview")).to_contain_text("Nothing has changed yet")
    assert Task.objects.get(pk=over.pk).status == Status.ACTIVE
    page.locator("#preview button.primary").click()
    expect(page.locator("#messages")).to_contain_text("1 done")
    assert Task.objects.get(pk=over.pk).status == Status.PENDING


@pytest.mark.parametrize("window", [{}, WITHOUT])
def test_a_finding_is_snoozed_by_keyboard_and_shown_again(open_page: Open, over: Task, window: dict[str, Any]) -> None:
    page = open_page(ADDRESS, **window)
    page.get_by_role("button", name="Snooze").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="1 week").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#findings .empty")).to_be_visible()
    page.get_by_role("link", name="Snoozed 1").click()
    page.get_by_role("button", name="Show again").click()
    expect(page.locator("#messages")).to_contain_text("open findings")
    assert Finding.objects.unsnoozed(timezone.now()).count() == 1


@pytest.mark.parametrize("page_of_run", [False, True])
def test_the_progress_of_a_run_refreshes_until_it_has_ended(
    open_page: Open, project: Project, page_of_run: bool
) -> None:
    run = make_operation(project, state=State.RUNNING, finished_at=None, done=3, total=12)
    page = open_page(f"{ADDRESS}operations/{run.public_id}/" if page_of_run else ADDRESS)
    page.route("**/api/v1/events*", lambda route: None)  # a stream that says nothing, as no event is written
    page.reload()
    running = page.locator("[data-running]")
    expect(running).to_contain_text("3 of 12")
    page.evaluate("window.mark = 'the same document'")
    Operation.objects.update(done=7)
    expect(running).to_contain_text("7 of 12")
    Operation.objects.update(state=State.SUCCEEDED, finished_at=timezone.now())
    expect(running).to_have_count(0)
    assert page.evaluate("window.mark") == "the same document"


def test_a_mark_on_the_board_leads_to_the_findings(open_page: Open, over: Task) -> None:
    page = open_page("/projects/ledger/board/")
    page.locator(f"#task-{over.public_id}").get_by_title(Cause.LEASE_OVER.label).click()
    page.wait_for_url(f"**{ADDRESS}")
    expect(page.locator("#findings")).to_contain_text("Parse")


def test_an_archived_plan_is_restored(open_page: Open, archived: Task) -> None:
    page = open_page(ARCHIVE, **WITHOUT)
    page.get_by_role("button", name="Restore").click()
    page.locator("#preview button.primary").click()
    page.wait_for_url(f"**{ARCHIVE}")
    assert Task.objects.get(pk=archived.pk).archived_at is None


def test_the_pages_hold_to_wcag_in_both_colors_and_to_the_width_of_a_phone(
    open_page: Open, over: Task, archived: Task
) -> None:
    make_tombstone(archived.project)
    made = make_operation(archived.project, changes=[{"verb": "release", "task_id": over.public_id}])
    page = open_page(ADDRESS)
    found = _faults(page, "findings")
    page.get_by_role("button", name="Snooze").click()
    found += _faults(page, "menu")
    page.goto(ADDRESS)
    page.get_by_role("button", name="Release").click()
    page.wait_for_load_state()
    found += _faults(page, "preview")
    for address in (f"{ADDRESS}?show=snoozed", ARCHIVE, f"{ARCHIVE}?show=purged", f"{ARCHIVE}?q=nothing-like-it",
                    f"{ADDRESS}operations/{made.public_id}/", f"{ADDRESS}settings/"):  # fmt: skip
        page.goto(address)
        found += _faults(page, address)
    assert found == []


def _faults(page: Page, where: str) -> list[str]:
    found = [f"{where}: {line}" for line in violations(page)]
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    if (wider := page.evaluate(WIDER)) > 0:
        found.append(f"{where}: {wider} px too wide")
    page.set_viewport_size({"width": 1280, "height": 800})
    return found
