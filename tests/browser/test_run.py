"""A person beside an assistant at work: the whole way of a piece of work through the browser, on a running site."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.live import LiveSite
from tests.demo.assistant import Assistant

FIRST = "def total(lines):\n    return sum(line.price for line in lines)\n"
SECOND = "def total(lines):\n    return sum(line.price * line.quantity for line in lines)\n"
OVERALL = "Two of one kind cost as much as one. Please fix it."
ON_A_LINE = "Multiply by the quantity here."


async def _deliver(assistant: Assistant, task_id: str, work: str) -> dict[str, Any]:
    taken = await assistant.call("execute_subtask", task_id=task_id)
    done = await assistant.call(
        "complete_subtask",
        task_id=task_id,
        lease_number=taken["lease_number"],
        summary="The total of a cart.",
        detailed_work=work,
        next_action="complete",
        artifact_type="code",
        file_paths=["shop/cart.py"],
    )
    return {**taken, **done}


def _plan(site: LiveSite, *titles: str, **more: Any) -> list[str]:
    subtasks = [
        {"title": each, "description": f"Do {each}", "specialist_type": "implementer", **more} for each in titles
    ]

    async def work(assistant: Assistant) -> list[str]:
        made = await assistant.call("plan_task", description=f"A job with {titles[0]}", subtasks=subtasks)
        return [row["task_id"] for row in made["subtasks"]]

    return list(site.assistant(work))


def _stands_on(page: Page, heading: str) -> None:
    """Wait for a page, and for its scripts: a key that is pressed before them is pressed for nothing."""
    expect(page.get_by_role("heading", level=1)).to_contain_text(heading)
    page.wait_for_load_state("load")


def _open(site: LiveSite, page: Page, address: str) -> None:
    page.goto(site.site.address + address)


def test_work_goes_back_with_a_comment_and_comes_again_by_keyboard_alone(site: LiveSite, page: Page) -> None:
    """Sent back, the comment stands first in the assistant's next brief; version 2 shows its difference; approved."""
    task, other = _plan(site, "The total of a cart", "The tax of a cart", review=True)
    for each in (task, other):
        site.assistant(lambda assistant, each=each: _deliver(assistant, each, FIRST))
    _open(site, page, "/reviews/")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    _stands_on(page, "The total of a cart")
    page.keyboard.press("j")
    _stands_on(page, "The tax of a cart")
    page.keyboard.press("k")
    _stands_on(page, "The total of a cart")
    for key in ("n", "ArrowDown", "c"):
        page.keyboard.press(key)
    page.keyboard.type(ON_A_LINE)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#main").get_by_text(ON_A_LINE).first).to_be_visible()
    page.keyboard.press("r")
    page.keyboard.type(OVERALL)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#messages [data-code=request_revision]")).to_be_visible()

    again = site.assistant(lambda assistant: _deliver(assistant, task, SECOND))
    brief = again["brief"]
    assert brief.index(OVERALL) < brief.index(ON_A_LINE) < brief.index("Do The total of a cart")
    assert "shop/cart.py line 2" in brief
    _open(site, page, f"/tasks/{task}/review/")
    expect(page.locator("ins").first).to_contain_text("line.quantity")
    expect(page.locator("del").first).to_contain_text("line.price")
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    expect(page.locator("#messages [data-code=approve]")).to_be_visible()
    _open(site, page, f"/tasks/{task}/")
    expect(page.locator("h1 + p .state.completed")).to_be_visible()


def test_every_verb_is_done_by_its_menu_while_the_page_stays(site: LiveSite, page: Page) -> None:
    (task,) = _plan(site, "Steered by hand")
    _open(site, page, f"/tasks/{task}/act/")
    page.evaluate("window.mark = 'the same document'")
    for verb, reason, state in (
        ("block", "No password", "blocked"),
        ("unblock", "It is in the vault", "pending"),
        ("claim", None, "active"),
        ("fail", "It does not work", "failed"),
        ("retry", "Try the other one", "pending"),
        ("claim", None, "active"),
        ("release", "No time", "pending"),
        ("cancel", "Not needed", "cancelled"),
        ("reopen", None, "pending"),
    ):
        page.locator(f"main [data-verb={verb}]").click()
        if reason is not None:
            dialog = page.locator("#dialog")
            dialog.locator("textarea[name=reason]").fill(reason)
            dialog.locator("form button").click()
        expect(page.locator(f"main #act .state.{state}")).to_be_visible()
    assert page.evaluate("window.mark") == "the same document"


def test_a_second_claim_gets_a_conflict(site: LiveSite, page: Page) -> None:
    (task,) = _plan(site, "Wanted by two")
    _open(site, page, f"/tasks/{task}/act/")
    page.evaluate("document.querySelector('#live')?.remove()")  # a page that has not heard of it yet
    site.assistant(lambda assistant: assistant.call("execute_subtask", task_id=task), name="codex")
    page.locator("main [data-verb=claim]").click()
    expect(page.locator("#messages [data-code=conflict]")).to_be_visible()
