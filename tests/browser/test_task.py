"""A task in Chromium: its verbs in place and without JavaScript, its forms, and the keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from artifacts.models import Artifact
from tasks.choices import Status, Verb
from tasks.models import Event, Task
from tests.browser.axe import violations
from tests.browser.conftest import Open
from tests.factories import make_plan, make_project, make_task

WINDOWS: dict[str, dict[str, Any]] = {
    "desk, light": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "phone, dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
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
    page.locator("#more summary").click()
    page.get_by_role("link", name="Block…").click()
    dialog = page.locator("#dialog")
    expect(dialog.get_by_role("textbox", name="Reason")).to_be_focused()
    dialog.get_by_role("textbox").fill("The scales are gone")
    dialog.get_by_role("button", name="Block").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#main h1 + p .state")).to_have_text("Blocked")
    expect(page.locator("#messages")).to_contain_text("You blocked “Count it”.")
    expect(page.get_by_role("heading", name="Why it is blocked")).to_be_visible()
    assert page.evaluate("window.mark") == "the same document"


def test_a_verb_without_words_is_one_click_and_the_next_verbs_are_there(open_page: Open, task: Task) -> None:
    page = open_page(_of(task))
    page.get_by_role("button", name="Take it").click()
    expect(page.locator("#main h1 + p .state")).to_have_text("Active")
    expect(page.get_by_role("link", name="Release…")).to_be_visible()
    expect(page.locator("#messages")).to_contain_text("You claimed “Count it”.")


def test_whoever_comes_second_is_told_in_place(open_page: Open, task: Task) -> None:
    first, second = open_page(_of(task)), open_page(_of(task))
    first.get_by_role("button", name="Take it").click()
    expect(first.locator("#main h1 + p .state")).to_have_text("Active")
    second.get_by_role("button", name="Take it").click()
    expect(second.locator("#messages")).to_contain_text("ada was faster and claimed it. “Count it” is active now.")
    assert Event.objects.filter(task=task, verb=Verb.CLAIM).count() == 1


def test_everything_works_without_javascript(open_page: Open, task: Task, tmp_path: Path) -> None:
    file = tmp_path / "count.bin"
    file.write_bytes(bytes(range(256)))
    page = open_page(_of(task), java_script_enabled=False)
    page.get_by_role("button", name="Take it").click()
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_role("textbox", name="Title", exact=True).fill("Count it twice")
    page.get_by_label("Priority").select_option("Urgent")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("h1")).to_have_text("Count it twice")
    page.get_by_role("link", name="Complete…").click()
    page.get_by_label("Summary").fill("Counted twice")
    page.get_by_label("Or a file").set_input_files(file)
    page.get_by_role("button", name="Complete").click()
    expect(page.locator("#main h1 + p .state")).to_have_text("Completed")
    expect(page.locator("#conversation")).to_contain_text("Counted twice")
    assert Artifact.objects.get().paths.get().path == "count.bin"


def test_enter_in_a_field_saves_and_looking_for_tasks_keeps_what_was_typed(open_page: Open, task: Task) -> None:
    other = make_task(task.project, parent=task.parent, title="Weigh the gold")
    page = open_page(_of(task, "edit/"))
    page.get_by_label("Effort").fill("2 hours")
    page.get_by_label("Add tasks to wait for").fill("gold")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_label("Effort")).to_have_value("2 hours")
    page.get_by_label("Add Weigh the gold").check()
    page.get_by_label("Add tasks to wait for").fill("")
    page.get_by_role("textbox", name="Title", exact=True).press("Enter")
    expect(page.locator("#needs")).to_contain_text("Weigh the gold")
    saved = Task.objects.get(pk=task.pk)
    assert saved.effort == "2 hours"
    assert list(saved.dependencies.values_list("depends_on", flat=True)) == [other.pk]


def test_keys_lead_to_the_forms(open_page: Open, task: Task) -> None:
    page = open_page(_of(task))
    page.keyboard.press("e")
    expect(page.get_by_role("heading", level=1)).to_have_text("Edit: Count it")
    page.go_back()
    page.keyboard.press("c")
    expect(page.get_by_role("heading", level=1)).to_have_text("Complete: Count it")


def test_the_brief_is_copied(open_page: Open, task: Task) -> None:
    page = open_page(_of(task), permissions=["clipboard-read", "clipboard-write"])
    page.get_by_text("Working brief, as an assistant reads it").click()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("## Task\nCount it")


@pytest.mark.parametrize("status", Status.values)
def test_the_menu_of_verbs_stays_within_a_phone(open_page: Open, task: Task, status: str) -> None:
    shown = make_task(task.project, parent=task.parent, status=status)
    page = open_page(_of(shown), viewport={"width": 390, "height": 844}, has_touch=True)
    menu = page.locator("#more summary")
    if menu.count():
        menu.tap()
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


@pytest.mark.parametrize("window", WINDOWS)
def test_forms_with_mistakes_and_open_menus_break_no_rule(
    open_page: Open, task: Task, complaints: list[str], window: str
) -> None:
    make_task(task.project, parent=task.parent, title="Count again")
    page = open_page(_of(task), **WINDOWS[window])
    page.locator("#more summary").click()
    page.get_by_text("Working brief, as an assistant reads it").click()
    found = violations(page)
    for form, button in (("edit/", "Save"), ("complete/", "Complete"), ("act/block/", "Block")):
        page.goto(page.url.partition("/tasks/")[0] + _of(task, form))
        page.evaluate("for (const form of document.forms) form.noValidate = true")
        for field in page.locator("#main :is(input:not([type]), textarea)").all():
            field.fill(" ")
        if form == "edit/":
            page.get_by_label("Add tasks to wait for").fill("count")
        page.locator("#main").get_by_role("button", name=button, exact=True).click()
        expect(page.get_by_role("alert").first).to_be_visible()
        found += violations(page)
    assert all("400" in complaint for complaint in complaints)  # the browser tells of every form that came back
    complaints.clear()
    assert found == []


def test_a_file_that_is_too_large_is_told_before_it_is_sent(open_page: Open, task: Task, settings: Any) -> None:
    settings.ORCHESTRATOR_MAX_UPLOAD_BYTES = 1000
    page = open_page(_of(task, "complete/"))
    field = page.get_by_label("Or a file")
    field.set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"x" * 1001})
    page.locator("#main").get_by_label("Summary").fill("Counted")
    page.locator("#main").get_by_role("button", name="Complete", exact=True).click()
    assert field.evaluate("field => field.validationMessage").startswith("This file is larger than")
    assert page.url.endswith("/complete/") and Task.objects.get(pk=task.pk).status == task.status
    field.set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"x" * 1000})
    page.locator("#main").get_by_role("button", name="Complete", exact=True).click()
    page.wait_for_url(f"**{_of(task)}")
    assert Task.objects.get(pk=task.pk).status in ("completed", "in_review")
