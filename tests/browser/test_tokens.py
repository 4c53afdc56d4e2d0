"""Access tokens as a person makes, copies and ends them in Chromium."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.factories import make_project

PHONE = {"viewport": {"width": 390, "height": 844}}
EVIL = "<b>" + "w" * 90 + "\u05d0"


def test_a_token_is_made_by_keyboard_copied_used_up_and_revoked_without_javascript(open_page: Open) -> None:
    page = open_page("/", java_script_enabled=False)
    page.get_by_role("link", name="Tokens").click()
    expect(page.get_by_text("No tokens yet.")).to_be_visible()
    page.get_by_label("Name").focus()
    page.keyboard.type("laptop")
    page.keyboard.press("Enter")
    secret = page.get_by_label("Copy it now").input_value()
    assert secret.startswith("mto_")
    assert secret not in page.url
    page.get_by_role("link", name="I have copied it").click()
    expect(page.get_by_role("table").get_by_text("laptop")).to_be_visible()
    assert secret not in page.content()
    page.get_by_role("link", name="Revoke").click()
    page.get_by_role("button", name="Revoke it").click()
    expect(page.get_by_text("The token laptop is revoked.")).to_be_visible()
    expect(page.get_by_role("cell", name="revoked")).to_be_visible()


def test_going_back_after_the_secret_was_shown_does_not_show_it_again(open_page: Open) -> None:
    page = open_page("/tokens/")
    page.get_by_label("Name").fill("laptop")
    page.get_by_role("button", name="Make the token").click()
    secret = page.get_by_label("Copy it now").input_value()
    page.get_by_role("link", name="I have copied it").click()
    page.go_back()
    assert secret not in page.content()


def test_the_secret_has_the_focus_so_that_it_can_be_copied_at_once(open_page: Open) -> None:
    page = open_page("/tokens/")
    page.get_by_label("Name").fill("laptop")
    page.get_by_role("button", name="Make the token").click()
    expect(page.get_by_label("Copy it now")).to_be_focused()


def test_nothing_of_the_token_pages_scrolls_sideways_on_a_phone(open_page: Open) -> None:
    make_project("ledger", name=EVIL)
    page = open_page("/tokens/", **PHONE)
    page.get_by_label("Name").fill(EVIL)
    page.get_by_label("Where").select_option("ledger")
    addresses = [page.url]
    page.get_by_role("button", name="Make the token").click()
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    page.get_by_role("link", name="I have copied it").click()
    addresses.append(page.get_by_role("link", name="Revoke").get_attribute("href") or "")
    for address in addresses:
        page.goto(address if address.startswith("http") else page.url.removesuffix("/tokens/") + address)
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, address
