"""Access tokens as a person makes, copies and ends them in Chromium."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.factories import make_project

PHONE = {"viewport": {"width": 390, "height": 844}}
EVIL = "<b>" + "w" * 90 + "\u05d0"


def test_a_token_is_made_by_keyboard_copied_used_up_and_revoked_without_javascript(open_page: Open) -> None:
    page = open_page("/", java_script_enabled=False)
    page.locator("[data-user-menu]").click()
    page.locator("#account a[href$='/tokens/']").click()
    expect(page.locator("p.empty")).to_be_visible()
    page.locator("input[name=name]").focus()
    page.keyboard.type("laptop")
    page.keyboard.press("Enter")
    secret = page.locator("#secret").input_value()
    assert secret.startswith("mto_")
    assert secret not in page.url
    page.locator("#done").click()
    expect(page.get_by_role("table").get_by_text("laptop")).to_be_visible()
    assert secret not in page.content()
    page.locator("a[href$='/revoke/']").click()
    page.locator("button.danger").click()
    expect(page.locator("#messages .success")).to_be_visible()
    expect(page.locator("td .tag[title]")).to_be_visible()


def test_going_back_after_the_secret_was_shown_does_not_show_it_again(open_page: Open) -> None:
    page = open_page("/tokens/")
    page.locator("input[name=name]").fill("laptop")
    page.locator("main form button.primary").click()
    secret = page.locator("#secret").input_value()
    page.locator("#done").click()
    page.go_back()
    assert secret not in page.content()


def test_the_secret_has_the_focus_so_that_it_can_be_copied_at_once(open_page: Open) -> None:
    page = open_page("/tokens/")
    page.locator("input[name=name]").fill("laptop")
    page.locator("main form button.primary").click()
    expect(page.locator("#secret")).to_be_focused()


def test_nothing_of_the_token_pages_scrolls_sideways_on_a_phone(open_page: Open) -> None:
    make_project("ledger", name=EVIL)
    page = open_page("/tokens/", **PHONE)
    page.locator("input[name=name]").fill(EVIL)
    page.locator("select[name=project]").select_option("ledger")
    addresses = [page.url]
    page.locator("main form button.primary").click()
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    page.locator("#done").click()
    addresses.append(page.locator("a[href$='/revoke/']").get_attribute("href") or "")
    for address in addresses:
        page.goto(address if address.startswith("http") else page.url.removesuffix("/tokens/") + address)
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, address
