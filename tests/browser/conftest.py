"""Chromium in front of a live site."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.live import LiveSite, live_site
from tests.chromium import CHROMIUM, FLAGS, MISSING
from tests.factories import make_user

Open = Callable[..., Page]

expect.set_options(timeout=15_000)  # milliseconds: a busy machine is slow, and what comes late comes


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.django_db(transaction=True))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, for as long as the tests of this folder run.

    Playwright's synchronous interface runs an event loop in this thread: Django would refuse the database in it, and
    other tests could run no loop of their own.
    """
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("CI drives the pages with Chromium, and there is none.")
        pytest.skip(MISSING)
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        # Static files come from the product, hashed and compressed, and not from Django's server for tests.
        patch.setattr(StaticFilesHandler, "_should_handle", lambda *_: False)
        _look_at_whole_pages(patch)
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained about on any page of the test; nothing is right."""
    return []


@pytest.fixture
def open_page(live_server: Any, browser: Browser, complaints: list[str]) -> Iterator[Open]:
    """Open a page as someone who signed in, in a window of some kind."""
    cookie = _signed_in(live_server.url)
    windows: list[BrowserContext] = []

    def opened(address: str, **window: Any) -> Page:
        context = browser.new_context(base_url=live_server.url, **window)
        windows.append(context)
        context.add_cookies([cookie])
        page = context.new_page()
        page.on("console", lambda message: _note(complaints, message.type, message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        return page

    yield opened
    for context in windows:
        context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def site() -> Iterator[LiveSite]:
    """A site as `manage.py up` runs it, for all tests of a file; each plans a job of its own."""
    with live_site() as running:
        yield running


@pytest.fixture
def page(site: LiveSite, browser: Browser) -> Iterator[Page]:
    """A page of the owner of that site, which has to be without a complaint."""
    complaints: list[str] = []
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        opened = site.sign_in(context)
        opened.on("console", lambda message: _note(complaints, message.type, message.text))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        yield opened
    assert complaints == []


def _look_at_whole_pages(patch: pytest.MonkeyPatch) -> None:
    """Let whoever asks a page at once, or types, wait until it is there whole.

    A click ends when the next page begins. Locators and expectations look again and again; these look once, and keys
    would be pressed before there is a script that hears them.
    """

    def once_loaded(look: Callable[..., Any]) -> Callable[..., Any]:
        def looked(page: Page, *given: Any, **options: Any) -> Any:
            page.wait_for_load_state()
            return look(page, *given, **options)

        return looked

    for name in ("evaluate", "content", "title"):
        patch.setattr(Page, name, once_loaded(getattr(Page, name)))
    patch.setattr(Page, "keyboard", property(once_loaded(Page.keyboard.fget)))


def _signed_in(url: str) -> Any:
    client = Client()
    client.force_login(make_user(is_staff=True, is_superuser=True))
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": url}


def _note(complaints: list[str], kind: str, text: str) -> None:
    if kind in ("error", "warning"):
        complaints.append(text)
