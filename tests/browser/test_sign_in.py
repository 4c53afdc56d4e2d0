"""The way in and out, as a person goes it in Chromium."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Browser, expect

from orchestrator_site.accounts.links import make_link
from tests.factories import make_user


def test_a_link_signs_in_once_and_signing_out_works_from_there(browser: Browser, live_server: Any) -> None:
    link = live_server.url + make_link(make_user())
    window = browser.new_context()
    page = window.new_page()
    page.goto(link)
    page.locator("main form button").click()
    expect(page.locator(".welcome")).to_be_visible()
    # A spent link must still let its reader sign out: the browser has to tell where the form comes from.
    page.goto(link)
    expect(page.locator(".gate form")).to_have_count(0)
    page.locator("[data-user-menu]").click()
    page.locator("[data-sign-out] button").click()
    expect(page.locator("form input[name=username]")).to_be_visible()
    window.close()
