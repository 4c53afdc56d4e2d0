"""Pages that follow what happens: a site as `manage.py up` runs it, and assistants at work beside it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from threading import Event
from typing import Any

from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.live import LiveSite, live_site
from tests.demo.assistant import Assistant
from tests.site.processes import DEADLINE_SECONDS, start

TIMES = 5


async def _plan(assistant: Assistant, *titles: str) -> dict[str, Any]:
    subtasks = [{"title": each, "description": "Do it", "specialist_type": "implementer"} for each in titles]
    return await assistant.call("plan_task", description=f"A job of {titles[0]}", subtasks=subtasks)


def _planned(site: LiveSite, *titles: str) -> list[str]:
    made = site.assistant(lambda assistant: _plan(assistant, *titles))
    return [row["task_id"] for row in made["subtasks"]]


def _open(site: LiveSite, page: Page, address: str) -> None:
    page.goto(site.site.address + address)
    expect(page.locator("#live")).to_have_attribute("data-state", "on")


def test_what_an_assistant_does_appears_without_a_reload(site: LiveSite, page: Page) -> None:
    tasks = _planned(site, *(f"Part {number} to be seen" for number in range(TIMES)))
    _open(site, page, f"/tasks/{tasks[0]}/")
    page.evaluate("window.mark = 'the same document'")
    seen = [Event() for _ in range(TIMES)]

    async def work(assistant: Assistant) -> None:
        for number in range(TIMES):
            verb = {"action": "block", "reason": f"Reason {number}"} if number % 2 == 0 else {"action": "unblock"}
            await assistant.call("update_task", task_id=tasks[0], **verb)
            await asyncio.to_thread(seen[number].wait, DEADLINE_SECONDS)

    working = site.begin(work)
    for number in range(TIMES):
        status = "blocked" if number % 2 == 0 else "pending"
        expect(page.locator(f"h1 + p .state.{status}")).to_be_visible(timeout=20_000)
        seen[number].set()
    working.result(DEADLINE_SECONDS)
    assert page.evaluate("window.mark") == "the same document"


def test_focus_scroll_and_typed_text_stay_while_the_page_changes(site: LiveSite, page: Page) -> None:
    tasks = _planned(site, *(f"Row {number}" for number in range(40)))
    _open(site, page, "/projects/shop/tasks/")
    page.locator("[popovertarget=filter]").click()
    field = page.locator("#filter [name=plan]")
    field.fill("half a wo")
    page.evaluate("window.scrollTo(0, 120)")
    site.assistant(lambda it: it.call("update_task", task_id=tasks[-1], action="block", reason="A reason"))
    expect(page.locator("main tbody .state.blocked").last).to_be_visible()
    expect(field).to_have_value("half a wo")
    expect(field).to_be_focused()
    assert page.evaluate("[scrollY, document.querySelector('#filter').matches(':popover-open')]") == [120, True]


def test_where_there_is_no_stream_the_page_looks_now_and_then_and_says_so(site: LiveSite, page: Page) -> None:
    (task,) = _planned(site, "Without a stream")
    page.clock.install()
    page.route("**/api/v1/events*", lambda route: route.fulfill(body="no stream", content_type="text/plain"))
    page.goto(f"{site.site.address}/tasks/{task}/")
    expect(page.locator("#live")).to_have_attribute("data-state", "poll")
    expect(page.locator("#live [data-says]")).to_be_visible()
    site.assistant(lambda it: it.call("update_task", task_id=task, action="block", reason="Nobody reported"))
    page.clock.run_for(11_000)
    expect(page.locator("h1 + p .state.blocked")).to_be_visible()


def test_a_page_goes_to_sign_in_once_its_person_has_left_elsewhere(site: LiveSite, page: Page) -> None:
    (task,) = _planned(site, "Left elsewhere")
    _open(site, page, f"/tasks/{task}/")
    page.context.clear_cookies(name=re.compile("session-"))
    site.assistant(lambda it: it.call("update_task", task_id=task, action="block", reason="Seen by nobody"))
    expect(page.locator("form input[name=username]")).to_be_visible()


def test_a_lost_connection_is_shown_and_heals_itself(browser: Browser, tmp_path: Path) -> None:
    with live_site() as site, browser.new_context() as context:
        (task,) = _planned(site, "Survives a restart")
        page = site.sign_in(context)
        _open(site, page, f"/tasks/{task}/")
        site.site.end()
        expect(page.locator("#live")).to_have_attribute("data-state", "lost", timeout=15_000)
        site.assistant(lambda it: it.call("update_task", task_id=task, action="block", reason="While away"))
        port = site.site.address.rpartition(":")[2]
        with start(tmp_path / "again", "manage.py", "up", "--no-worker", "--port", port) as again:
            again.wait_until_greeted()
            expect(page.locator("h1 + p .state.blocked")).to_be_visible(timeout=40_000)
            expect(page.locator("#live")).to_have_attribute("data-state", "on")
            page.close()
            again.end()


def test_a_page_whose_scripts_come_late_follows_too(site: LiveSite, page: Page) -> None:
    (task,) = _planned(site, "Late scripts")

    scripts: list[Route] = []
    page.route("**/*.js", lambda route: scripts.append(route))
    page.goto(f"{site.site.address}/tasks/{task}/", wait_until="commit")
    expect(page.locator("h1")).to_be_visible()
    for route in scripts:
        route.continue_()
    expect(page.locator("#live")).to_have_attribute("data-state", "on")
