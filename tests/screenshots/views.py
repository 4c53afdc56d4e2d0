"""The pages to take, and how to navigate to each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from playwright.sync_api import Browser, Page

from tests.browser.live import LiveSite
from tests.site.processes import manage

THEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
OWNER = "ada"
"""The user name on the screenshots."""


@dataclass(frozen=True, slots=True)
class View:
    """A screenshot's name, and how to get to its page from home."""

    name: str
    way: Callable[[Page], None]

    def open(self, page: Page, address: str) -> None:
        """Go there, and wait until the page is settled."""
        page.goto(f"{address}/")
        self.way(page)
        page.wait_for_load_state("load")
        page.locator("#live[data-state=on]").or_(page.locator("body:not(:has(#live))")).first.wait_for()
        page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
        page.mouse.move(0, 0)


def _home(page: Page) -> None:
    pass


def _board(page: Page) -> None:
    page.locator("#projects td.main a").first.click()
    page.locator(".tabs a[href$='/board/']").click()


def _plan(page: Page) -> None:
    page.locator("#projects td.main a").first.click()
    page.get_by_role("link", name="Build the checkout").first.click()


def _graph(page: Page) -> None:
    _plan(page)
    page.locator(".segment a[href$='/graph/']").click()


def _review(page: Page) -> None:
    page.locator("#waiting").get_by_role("link", name="Payment provider client", exact=True).click()


def _artifact(page: Page) -> None:
    page.locator("#delivered").get_by_role("link", name="shop/checkout/totals.py").click()


VIEWS = (
    View("home", _home),
    View("board", _board),
    View("plan", _plan),
    View("graph", _graph),
    View("review", _review),
    View("artifact", _artifact),
)


def sign_in(site: LiveSite, browser: Browser) -> Any:
    """Sign in as the owner, under a neutral name; returns the browser's storage state."""
    made = manage("createsuperuser", "--noinput", "--username", OWNER, "--email", "")
    assert made.returncode == 0, made.stderr
    link = manage("sign_in_link", "--user", OWNER, "--address", site.site.address).stdout.split()[-1]
    context = browser.new_context()
    page = context.new_page()
    page.goto(link)
    page.locator("main form button").click()
    state = context.storage_state()
    context.close()
    return state


def load_sample(site: LiveSite, browser: Browser, state: Any) -> None:
    """Load the sample with the button on the empty home page."""
    context = browser.new_context(storage_state=state)
    page = context.new_page()
    page.goto(f"{site.site.address}/")
    page.locator("form[action='/sample/'] button").click()
    page.locator("#projects").wait_for()
    context.close()
