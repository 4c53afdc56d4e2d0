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


def _maintenance(page: Page) -> None:
    page.locator("#projects td.main a").first.click()
    page.locator(".tabs a[href$='/maintenance/']").click()


def _archive(page: Page) -> None:
    _maintenance(page)
    page.locator("main a[href$='/archive/']").click()


def _handover(page: Page) -> None:
    _maintenance(page)
    page.locator("main a[href$='/handovers/']").click()
    page.get_by_role("link", name="Changes").first.click()


OF_THE_BOARD = (
    View("home", _home),
    View("board", _board),
    View("plan", _plan),
    View("graph", _graph),
    View("review", _review),
    View("artifact", _artifact),
)
OF_MAINTENANCE = (View("maintenance", _maintenance), View("archive", _archive), View("handover", _handover))
"""These are taken once days have passed."""
VIEWS = (*OF_THE_BOARD, *OF_MAINTENANCE)

_DAYS_PASS = """
from datetime import timedelta
from django.db.models import F, Q
from tasks.models import Event, Task
finished = Q(title__startswith="Fix price") | Q(root__title__startswith="Fix price")
for tasks, days in ((Task.objects.all(), 3), (Task.objects.filter(finished), 97)):
    ago = timedelta(days=days)
    Event.objects.filter(task__in=tasks).update(created_at=F("created_at") - ago)
    tasks.filter(lease_expires_at__isnull=False).update(lease_expires_at=F("lease_expires_at") - ago)
    tasks.update(updated_at=F("updated_at") - ago, active_at=F("active_at") - ago)
"""


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


def let_days_pass(site: LiveSite, browser: Browser, state: Any) -> None:
    """Leave the sample alone for days, then scan it and archive its finished plan, between two handovers."""
    aged = manage("shell", "-c", _DAYS_PASS)
    assert aged.returncode == 0, aged.stderr
    context = browser.new_context(storage_state=state)
    page = context.new_page()
    page.goto(f"{site.site.address}/")
    _maintenance(page)
    maintenance = page.url
    for step in (_prepare, _scan, _archive_finished, _prepare):
        page.goto(maintenance)
        step(page)
    context.close()


def _prepare(page: Page) -> None:
    page.locator("main a[href$='/handovers/']").click()
    page.get_by_role("button", name="Prepare handover").click()
    page.locator("#messages .note").wait_for()


def _scan(page: Page) -> None:
    page.get_by_role("button", name="Scan now").click()
    page.locator("#messages .note").wait_for()


def _archive_finished(page: Page) -> None:
    page.get_by_role("button", name="Archive finished plans…").click()
    page.locator("#preview button.primary").click()
    page.locator("#messages .note").wait_for()
