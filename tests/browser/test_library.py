"""A plan from a template in Chromium: previewed, planned, held by its gates, and finished; without scripts too."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tasks.library.models import PlanOrigin, Template
from tasks.models import Project, Task
from tests.browser.conftest import Open
from tests.factories import make_project
from tests.gates.given import COMMANDS
from tests.library.rows import chores, make_template
from tests.rest import rest

LIBRARY = "/projects/ledger/library/"
GATED = """\
template: weighing
version: "1"
title: "Weigh {what}"
when: Something has to be weighed, and to be sure of it.
parameters:
  what: {required: true}
steps:
- key: weigh
  title: "Put {what} on the scales"
  description: Read it twice.
  specialist: implementer
  gates: [{command: test}]
- key: report
  title: "Report what {what} weighs"
  description: In grams.
  specialist: documenter
  needs: [weigh]
"""
WINDOWS: dict[str, dict[str, Any]] = {
    "with scripts": {},
    "without": {"java_script_enabled": False},
    "phone": {"viewport": {"width": 390, "height": 844}},
}


@pytest.fixture
def project(transactional_db: None) -> Project:
    return make_project("ledger", settings={"gates": {"commands": COMMANDS}})


def _write(page: Page, text: str) -> None:
    page.goto(f"{LIBRARY}new-template/")
    page.locator("textarea[name=text]").fill(text)
    page.locator("#main form button.primary").click()
    expect(page.locator("#messages .success")).to_be_visible()


def _plan(page: Page, what: str) -> str:
    """Plan with the template that is open; return the id of the plan."""
    page.get_by_role("link", name="Plan with it…").click()
    page.locator("[name='parameters.what']").fill(what)
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview")).to_contain_text(f"Put {what} on the scales")
    page.locator("#preview form button").click()
    page.wait_for_url(re.compile(r"/tasks/\w+/$"))
    return page.url.rstrip("/").rpartition("/")[2]


def _complete(page: Page, task: Task) -> None:
    page.goto(f"/tasks/{task.public_id}/complete/")
    page.locator("textarea[name=summary]").fill("It is done.")
    page.locator("#main form button.primary").click()


def _attest(task: Task) -> None:
    """Report what a command did, as `manage.py attest` does."""
    observer = rest(scopes=("attest",))
    asked = observer.post(f"/tasks/{task.public_id}/challenges", {"gate": "test"})
    piece = {"gate": "test", "challenge": asked["challenge"], "exit_code": 0, "fingerprint": "a" * 64}
    observer.post(f"/tasks/{task.public_id}/evidence", {"evidence": [piece]})


@pytest.mark.parametrize("window", WINDOWS)
def test_a_template_is_previewed_and_planned(open_page: Open, project: Project, window: str) -> None:
    make_template(project)
    page = open_page("/projects/ledger/board/", **WINDOWS[window])
    page.get_by_role("link", name="start from a template").click()
    page.locator("#template-chores").get_by_role("link", name="Plan").click()
    page.locator("[name='parameters.goal']").fill("Clean by Monday.\nAll of it.")
    page.locator("[name='parameters.jobs']").fill("floor\nsink")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview [data-step]")).to_have_count(4)
    assert not Task.objects.exists()
    page.locator("#preview form button").click()
    expect(page.locator("#origin")).to_contain_text("floor, sink")
    assert PlanOrigin.objects.get().parameters["goal"] == "Clean by Monday.\nAll of it."


def test_a_template_is_planned_by_keyboard_alone(open_page: Open, project: Project) -> None:
    make_template(project)
    page = open_page(f"{LIBRARY}templates/chores/")
    page.keyboard.press("p")
    page.wait_for_url("**/plan/")
    page.locator("[name='parameters.goal']").focus()
    page.keyboard.type("Clean")
    for _ in range(4):  # days, wet, how, jobs
        page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#preview")).to_be_visible()
    page.locator("#preview form button").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#origin")).to_be_visible()


def test_a_template_that_is_wrong_is_kept_with_its_lines_named(
    open_page: Open, project: Project, complaints: list[str]
) -> None:
    page = open_page(f"{LIBRARY}new-template/")
    page.locator("textarea[name=text]").fill(chores().replace("needs: [look]", "needs: [lok]"))
    page.locator("#main form button.primary").click()
    expect(page.locator("#problems [data-at='line 18']")).to_be_visible()
    expect(page.locator("textarea[name=text]")).to_have_value(chores().replace("needs: [look]", "needs: [lok]"))
    assert complaints.pop() == "Failed to load resource: the server responded with a status of 400 (Bad Request)"


def test_a_plan_is_held_by_its_gate_then_finished_and_becomes_a_template_of_its_own(
    open_page: Open, project: Project, complaints: list[str]
) -> None:
    page = open_page("/")
    _write(page, GATED)
    plan = Task.objects.get(public_id=_plan(page, "gold"))
    weigh, report = plan.children.order_by("position")
    page.goto(f"/tasks/{weigh.public_id}/act/")
    page.locator("main [data-verb=claim]").click()
    expect(page.locator("main #act .state.active")).to_be_visible()

    _complete(page, weigh)
    expect(page.locator("[data-code=not_ready]")).to_be_visible()
    complaints.pop()
    _attest(weigh)
    page.locator("#main form button.primary").click()
    expect(page.locator("#messages .success")).to_be_visible()
    _complete(page, report)
    expect(page.locator("#messages .success")).to_be_visible()
    page.goto(f"/tasks/{plan.public_id}/")
    expect(page.locator("h1 + p .state.completed")).to_be_visible()

    page.get_by_role("button", name="More actions").click()
    page.get_by_role("link", name="Make a template of it").click()
    text = page.locator("textarea[name=text]")
    text.fill(re.sub(r"(?m)^template: .*$", "template: found", text.input_value()))
    page.locator("#main form button.primary").click()
    expect(page.locator("[data-step]")).to_have_count(2)
    assert Template.objects.get(name="found").drafted_from == plan
    again = Task.objects.get(public_id=_plan(page, "silver"))
    expect(page.locator("#origin")).to_contain_text("found")
    assert [(each.specialist, each.gates) for each in again.children.order_by("position")] == [
        (each.specialist, each.gates) for each in (weigh, report)
    ]
