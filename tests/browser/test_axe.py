"""Every page, in both colours and on both sizes of screen, holds to WCAG 2.2 AA as far as axe-core can tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import NoReverseMatch, reverse
from playwright.sync_api import Browser, Page, expect

from orchestrator_site.accounts.links import make_link
from orchestrator_site.models import AccessToken
from orchestrator_site.tokens.service import create_token
from tests.browser.axe import violations
from tests.browser.conftest import Open
from tests.factories import make_user
from tests.tour import NOT_SHOWN, World, make_world, named_pages

DESK, PHONE = {"viewport": {"width": 1280, "height": 800}}, {"viewport": {"width": 390, "height": 844}}
WINDOWS: dict[str, dict[str, Any]] = {"desk": DESK, "phone": PHONE}
MORE = {
    "artifact": ("?view=source", "?view=plain", "?view=rendered"),
    "artifact-diff": ("?layout=split",),
    "board": ("?q=nothing-like-it&priority=2", "?open=completed", "?group=plan", "?group=specialist", "?plan=nothing"),
    "insights": tuple(f"?by={name}" for name in ("plan", "specialist", "client", "model", "template")),
    "handover": ("?against=1", "?against=1&layout=split"),
    "maintenance": ("?show=snoozed", "?show=resolved"),
    "archive": ("?show=purged", "?q=nothing-like-it"),
    "projects": ("?show=blocked",),
    "template-version": ("?layout=split",),
    "recurring-new": ("?template=chores",),
    "resources": ("?edit=tester",),
    "reviews": ("?project=tour",),
    "tasks": ("?q=nothing-like-it", "?plan=nothing"),
    "search": ("?q=plain", "?q=nothing-like-it", "?q=tester"),
    "specialist-new": ("?name=weigher",),
    "task": ("?page=2",),
}
"""Other ways to look at a page that look different."""


@pytest.fixture
def world(transactional_db: None) -> World:
    return make_world()


def addresses(world: World) -> list[str]:
    """Return the addresses of all pages that someone who signed in can open by a link."""
    words = {**world.words, "token-revoke": (_token().public_id,)}
    found = [*_addresses(words, dict.fromkeys(sorted(named_pages() - NOT_SHOWN), ("",))), *_addresses(words, MORE)]
    return [*found, reverse("task", args=[world.review.public_id])]


def _addresses(words: dict[str, tuple[str, ...]], queries: dict[str, tuple[str, ...]]) -> Iterator[str]:
    """Yield the addresses of pages; the tour says where it knows no words for one, and fails then."""
    for name in queries:
        try:
            address = reverse(name, args=words.get(name, ()))
        except NoReverseMatch:
            continue
        yield from (address + query for query in queries[name])


def _token() -> AccessToken:
    return create_token(owner=User.objects.get(username="ada"), name="laptop", scopes=["read"])[0]


def _found(page: Page, root: str, addresses: list[str]) -> list[str]:
    found = []
    for address in addresses:
        page.goto(root + address)
        found += _at_both_sizes(address, page)
    return found


def _at_both_sizes(where: str, page: Page) -> list[str]:
    found = []
    for size, window in WINDOWS.items():
        page.set_viewport_size(window["viewport"])
        found += _at(f"{size}: {where}", page)
    return found


def _at(where: str, page: Page) -> list[str]:
    return [f"{where}: {line}" for line in violations(page)]


def _check(found: list[str]) -> None:
    assert not found, "\n".join(found)


@pytest.mark.timeout(600)  # some fifty pages, a second each where nothing else runs
def test_no_page_breaks_a_rule(open_page: Open, live_server: Any, world: World) -> None:
    page = open_page("/")
    _check(_found(page, live_server.url, addresses(world)))


@pytest.mark.parametrize("window", WINDOWS)
def test_what_opens_on_a_page_breaks_no_rule(open_page: Open, live_server: Any, world: World, window: str) -> None:
    page = open_page(f"/tasks/{world.review.public_id}/", **WINDOWS[window])
    page.locator("[data-user-menu]").click()
    found = _at("menu", page)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    found += _at("keys", page)
    page.keyboard.press("Escape")
    page.goto(f"{live_server.url}/tasks/{world.review.public_id}/act/")
    page.locator("#main a[data-dialog]").first.click()
    expect(page.locator("#dialog")).to_be_visible()
    found += _at("dialog", page)
    _check(found)


def test_a_form_with_mistakes_breaks_no_rule(browser: Browser, live_server: Any, world: World) -> None:
    page = _signed_in_by_link(browser, live_server.url)
    found = []
    for address, typed in (
        ("/projects/tour/new-specialist/", {"name": "Bad Name", "role_definition": " "}),
        ("/projects/tour/settings/", {"name": " ", "lease_minutes": "0"}),
        ("/projects/tour/resources/", {"name": "Bad Name", "capacity": "0"}),
        ("/tokens/", {"name": ""}),
        ("/projects/tour/library/templates/chores/plan/", {"parameters.days": "many"}),
    ):
        page.goto(live_server.url + address)
        page.evaluate("for (const form of document.forms) form.noValidate = true")
        for name, value in typed.items():
            page.locator(f"#main [name='{name}']").fill(value)
        page.locator("#main form button.primary").click()
        expect(page.locator(".errorlist").first).to_be_visible()
        found += _at_both_sizes(address, page)
    _check(found)
    page.context.close()


def test_a_preview_of_settings_and_what_is_wrong_with_them_break_no_rule(
    browser: Browser, live_server: Any, world: World
) -> None:
    page = _signed_in_by_link(browser, live_server.url)
    found = []
    for text, shown in (("review: true\nrouting: {suggest: off}", "#changes"), ("review: 1\ncolour: red", "#problems")):
        page.goto(f"{live_server.url}/projects/tour/settings/yaml/")
        page.locator("textarea[name=text]").fill(text)
        page.locator("button[name=preview]").click()
        expect(page.locator(shown)).to_be_visible()
        found += _at_both_sizes(shown, page)
    _check(found)
    page.context.close()


def test_what_went_wrong_and_the_way_in_break_no_rule(browser: Browser, live_server: Any, world: World) -> None:
    context = browser.new_context()
    page = context.new_page()
    addresses = ["/sign-in/", "/sign-in/spent/", make_link(make_user("eve")), "/no/such/page/"]
    _check(_found(page, live_server.url, addresses))
    context.close()
    page = _signed_in_by_link(browser, live_server.url)
    User.objects.update(is_superuser=False)
    _check(_found(page, live_server.url, ["/no/such/page/", "/projects/tour/settings/"]))
    page.context.close()


def _signed_in_by_link(browser: Browser, root: str) -> Page:
    """Open a page whose answers may be errors, which the browser would complain about."""
    page = browser.new_context().new_page()
    page.goto(root + make_link(make_user("bob", is_staff=True, is_superuser=True)))
    page.locator("main form button.primary").click()
    page.wait_for_url("**/")
    return page


def test_colors_in_the_admin_have_enough_contrast(browser: Browser, live_server: Any, world: World) -> None:
    """What else axe-core finds there is Django's own."""
    page = _signed_in_by_link(browser, live_server.url)
    task = reverse("admin:tasks_task_change", args=[world.plan.pk])
    places = ["/admin/", "/admin/tasks/task/", task, "/admin/auth/user/add/", "/admin/tasks/specialist/add/"]
    _check([line for line in _found(page, live_server.url, places) if ": color-contrast:" in line])
    page.context.close()
