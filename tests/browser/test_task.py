"""A task in Chromium: its verbs in place and without JavaScript, its forms, and the keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from artifacts.models import Artifact
from tasks.choices import Status, Verb
from tasks.models import Event, Task
from tests.browser.axe import violations
from tests.browser.conftest import Open
from tests.factories import make_plan, make_project, make_task

WINDOWS: dict[str, dict[str, Any]] = {
    "desk": {"viewport": {"width": 1280, "height": 800}},
    "phone": {"viewport": {"width": 390, "height": 844}},
}


@pytest.fixture
def task(transactional_db: None) -> Task:
    plan = make_plan(make_project("ledger"), 0, title="The plan")
    return make_task(plan.project, parent=plan, title="Count it", description="Count all", is_ready=True)


def _of(task: Task, page: str = "") -> str:
    return f"/tasks/{task.public_id}/{page}"


def test_a_verb_opens_in_a_dialog_and_is_done_in_place(open_page: Open, task: Task) -> None:
    page = open_page(_of(task))
    page.evaluate("window.mark = 'the same document'")
    page.locator("[popovertarget=more]").click()
    page.locator("[data-verb=block]").click()
    dialog = page.locator("#dialog")
    expect(dialog.locator("textarea[name=reason]")).to_be_focused()
    dialog.get_by_role("textbox").fill("The scales are gone")
    dialog.locator("form button").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#main h1 + p .state.blocked")).to_be_visible()
    expect(page.locator("#messages [data-code=block]")).to_contain_text("Count it")
    expect(page.locator("#reason")).to_contain_text("The scales are gone")
    assert page.evaluate("window.mark") == "the same document"


def test_an_action_without_a_reason_is_one_click(open_page: Open, task: Task) -> None:
    page = open_page(_of(task))
    page.locator("[data-verb=claim]").click()
    expect(page.locator("#main h1 + p .state.active")).to_be_visible()
    expect(page.locator("[data-verb=release]")).to_be_visible()
    expect(page.locator("#messages [data-code=claim]")).to_contain_text("Count it")


def test_a_conflict_is_shown_in_place(open_page: Open, task: Task) -> None:
    first, second = open_page(_of(task)), open_page(_of(task))

    def claim_before(route: Route) -> None:
        """Hold the second claim back until the first is done and the live page shows it."""
        first.locator("[data-verb=claim]").click()
        expect(second.locator("#main h1 + p .state.active")).to_be_visible()
        route.continue_()

    second.route("**/act/claim/**", claim_before)
    second.locator("[data-verb=claim]").click()
    expect(second.locator("#messages [data-code=conflict]")).to_contain_text("ada")
    assert Event.objects.filter(task=task, verb=Verb.CLAIM).count() == 1


def test_everything_works_without_javascript(open_page: Open, task: Task, tmp_path: Path) -> None:
    file = tmp_path / "count.bin"
    file.write_bytes(bytes(range(256)))
    page = open_page(_of(task), java_script_enabled=False)
    page.locator("[data-verb=claim]").click()
    page.locator("[data-verb=edit]").click()
    page.locator("input[name=title]").fill("Count it twice")
    page.locator("select[name=priority]").select_option("4")
    page.locator("button.primary[name=save]").click()
    expect(page.locator("h1")).to_have_text("Count it twice")
    page.locator("[data-verb=complete]").click()
    page.locator("textarea[name=summary]").fill("Counted twice")
    page.locator("input[name=file]").set_input_files(file)
    page.locator("main form button.primary").click()
    expect(page.locator("#main h1 + p .state.completed")).to_be_visible()
    expect(page.locator("#history")).to_contain_text("Counted twice")
    assert Artifact.objects.get().paths.get().path == "count.bin"


def test_enter_in_a_field_saves_and_looking_for_tasks_keeps_what_was_typed(open_page: Open, task: Task) -> None:
    other = make_task(task.project, parent=task.parent, title="Weigh the gold")
    page = open_page(_of(task, "edit/"))
    page.locator("input[name=effort]").fill("2 hours")
    page.locator("input[name=find]").fill("gold")
    page.locator("button[name=look]").click()
    expect(page.locator("input[name=effort]")).to_have_value("2 hours")
    page.locator(f"input[name=add][value={other.public_id}]").check()
    page.locator("input[name=find]").fill("")
    page.locator("input[name=title]").press("Enter")
    expect(page.locator("#blocked-by")).to_contain_text("Weigh the gold")
    saved = Task.objects.get(pk=task.pk)
    assert saved.effort == "2 hours"
    assert list(saved.dependencies.values_list("depends_on", flat=True)) == [other.pk]


def test_keys_lead_to_the_forms(open_page: Open, task: Task) -> None:
    page = open_page(_of(task))
    page.keyboard.press("e")
    expect(page.locator("form[action$='/edit/']")).to_be_visible()
    page.go_back()
    page.keyboard.press("c")
    expect(page.locator("form[action$='/complete/']")).to_be_visible()


def test_the_brief_is_copied(open_page: Open, task: Task) -> None:
    page = open_page(_of(task), permissions=["clipboard-read", "clipboard-write"])
    page.locator("#brief-card > summary").click()
    page.locator("[data-copy='#brief']").click()
    page.locator("[data-copy='#brief'][data-copied]").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("## Task\nTitle: Count it")


@pytest.mark.parametrize("status", Status.values)
def test_the_menu_of_verbs_stays_within_a_phone(open_page: Open, task: Task, status: str) -> None:
    shown = make_task(task.project, parent=task.parent, status=status)
    page = open_page(_of(shown), viewport={"width": 390, "height": 844}, has_touch=True)
    menu = page.locator("[popovertarget=more]")
    if menu.count():
        menu.tap()
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


@pytest.mark.parametrize("window", WINDOWS)
def test_forms_with_mistakes_and_open_menus_break_no_rule(
    open_page: Open, task: Task, complaints: list[str], window: str
) -> None:
    make_task(task.project, parent=task.parent, title="Count again")
    page = open_page(_of(task), **WINDOWS[window])
    page.locator("[popovertarget=more]").click()
    page.locator("#brief-card > summary").click()
    found = violations(page)
    for form in ("edit/", "complete/", "act/block/"):
        page.goto(_of(task, form))
        page.evaluate("for (const form of document.forms) form.noValidate = true")
        for field in page.locator("#main :is(input:not([type]), textarea)").all():
            field.fill(" ")
        if form == "edit/":
            page.locator("input[name=find]").fill("count")
        page.locator("#main form button.primary").click()
        expect(page.get_by_role("alert").first).to_be_visible()
        found += violations(page)
    assert all("400" in complaint for complaint in complaints)  # the browser says of every form that came back
    complaints.clear()
    assert found == []


def test_a_file_that_is_too_large_is_rejected_before_upload(open_page: Open, task: Task, settings: Any) -> None:
    settings.ORCHESTRATOR_MAX_UPLOAD_BYTES = 1000
    page = open_page(_of(task, "complete/"))
    field = page.locator("input[name=file]")
    field.set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"x" * 1001})
    page.locator("textarea[name=summary]").fill("Counted")
    page.locator("#main form button.primary").click()
    assert field.evaluate("field => field.validity.customError")
    assert page.url.endswith("/complete/") and Task.objects.get(pk=task.pk).status == task.status
    field.set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"x" * 1000})
    page.locator("#main form button.primary").click()
    page.wait_for_url(f"**{_of(task)}")
    assert Task.objects.get(pk=task.pk).status in ("completed", "in_review")
