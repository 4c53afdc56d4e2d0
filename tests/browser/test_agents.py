"""Runs of agents in a browser: from the start over an ask to the changes, by hand, by keyboard and without scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from tasks.agents import run_log
from tasks.agents.choices import AskState, RunState
from tasks.agents.models import Run
from tasks.agents.places import log_of
from tasks.models import Task
from tests.agents.collected import CART, collect_into, collected, make_shop
from tests.agents.rows import make_ask, make_run, make_supervisor, switch_on
from tests.browser.axe import violations
from tests.browser.conftest import Open
from tests.factories import make_plan, make_project, make_task

PHONE = {"width": 390, "height": 844}
WITHOUT = {"java_script_enabled": False}
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
FIXED = CART.replace("line.price", "line.price * line.quantity")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make_shop(tmp_path / "shop")


@pytest.fixture
def task(transactional_db: None, shop: Path) -> Task:
    project = make_project("shop", name="Shop")
    switch_on(project, shop)
    make_supervisor()
    return make_task(project, parent=make_plan(project, 0, title="Cart"), title="Count the cart", is_ready=True)


def _note(run: Run, *entries: dict[str, Any]) -> None:
    log = log_of(run)
    log.parent.mkdir(parents=True, exist_ok=True)
    run_log.append(log, entries)


def test_a_run_is_started_asks_ends_and_is_commented_on(open_page: Open, task: Task, shop: Path) -> None:
    page = open_page(f"/tasks/{task.public_id}/")
    page.locator("[data-verb=run]").click()
    page.get_by_label("Turns").fill("20")
    page.locator("#start button.primary").click()
    expect(page.locator("[data-state=queued]")).to_be_visible()
    page.evaluate("window.mark = 'the same document'")

    run = Run.objects.get()
    Run.objects.filter(pk=run.pk).update(state=RunState.ASKING, started_at=timezone.now())
    ask = make_ask(run, question="npm install nanoid")
    expect(page.locator(f"#ask-{ask.pk}")).to_contain_text("npm install nanoid")
    page.keyboard.press("y")
    expect(page.get_by_role("button", name="Allow")).to_be_focused()
    ask.refresh_from_db()
    assert ask.state == AskState.OPEN  # the key only goes there
    page.keyboard.press("Enter")
    expect(page.locator("#messages [data-code=allow]")).to_be_visible()
    ask.refresh_from_db()
    assert ask.state == AskState.ALLOWED

    collect_into(run, shop, {"shop/cart.py": FIXED})
    Run.objects.filter(pk=run.pk).update(state=RunState.FAILED, ended_at=timezone.now(), reason="It gave up.")
    expect(page.locator("#reason")).to_contain_text("It gave up.")
    assert page.evaluate("window.mark") == "the same document"
    page.get_by_role("link", name="Changes 1").click()
    page.locator("ins").get_by_text("line.quantity").wait_for()
    page.locator("td.n a", has_text="4").first.click()
    page.locator("#remark textarea").fill("May be None.")
    page.locator("#remark button").click()
    expect(page.locator(".said .comment")).to_contain_text("May be None.")


def test_the_log_grows_while_a_message_is_being_written(open_page: Open, task: Task) -> None:
    run = make_run(task, RunState.RUNNING, started_at=timezone.now())
    _note(run, *({"kind": "said", "text": f"Step {number}"} for number in range(60)))
    page = open_page(f"/runs/{run.public_id}/")
    page.evaluate("window.mark = 'the same document'")
    expect(page.get_by_text("Step 59", exact=True)).to_be_in_viewport()
    page.keyboard.press("m")
    page.keyboard.type("Use secrets")
    _note(run, {"kind": "said", "text": "Step 60"})
    expect(page.get_by_text("Step 60", exact=True)).to_be_in_viewport()
    assert page.locator("#message").input_value() == "Use secrets"
    expect(page.locator("#message")).to_be_focused()
    page.keyboard.press("Control+Enter")
    expect(page.locator("#messages [data-code=message]")).to_be_visible()
    assert run.messages.get().text == "Use secrets"
    assert page.evaluate("window.mark") == "the same document"


@pytest.mark.parametrize("window", [WITHOUT, {"viewport": PHONE}])
def test_an_ask_is_denied_and_a_run_ended_without_scripts_and_on_a_phone(
    open_page: Open, task: Task, window: dict[str, Any]
) -> None:
    run = make_run(task, RunState.ASKING, started_at=timezone.now())
    ask = make_ask(run)
    page = open_page("/", **window)
    page.locator(f"#asks-{ask.pk}").get_by_role("button", name="Deny").click()
    expect(page.locator("#messages [data-code=deny]")).to_have_count(1)
    page.goto(f"{page.url.partition('/?')[0].rstrip('/')}/runs/{run.public_id}/")
    page.get_by_role("link", name="End run").click()
    page.locator("#act button.danger, #dialog button.danger").first.click()
    expect(page.locator("#stopping")).to_be_visible()
    run.refresh_from_db()
    assert run.stop == RunState.KILLED


def test_changes_and_their_merge_hold_to_wcag_and_to_the_width_of_a_phone(
    open_page: Open, task: Task, shop: Path
) -> None:
    run = collected(task, shop, {"shop/cart.py": FIXED, "a/very/long/path/" + "n" * 80 + ".txt": "x" * 400 + "\n"})
    here = f"/runs/{run.public_id}/"
    page = open_page(f"{here}changes/")
    page.locator("td.n a", has_text="4").first.click()
    found = []
    for address in (
        "",
        f"{here}changes/?layout=split",
        f"{here}merge/",
        f"{here}act/resume/",
        f"/tasks/{task.public_id}/run/",
    ):
        if address:
            page.goto(address)
        found += _faults(page, address)
    assert not found, "\n".join(found)


def _faults(page: Page, where: str) -> list[str]:
    page.evaluate("scrollTo(0, 0)")  # or the header hides a part of what is below it
    found = [f"{where}: {line}" for line in violations(page)]
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    if (wider := page.evaluate(WIDER)) > 0:
        found.append(f"{where}: {wider} px too wide")
    page.set_viewport_size({"width": 1280, "height": 800})
    return found
