"""Home: from an empty database over a copied line to the sample, and what is on it then."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from orchestrator_site.sample.load import NAME, load_sample
from orchestrator_site.up.connect import connect_line
from tasks.identity.actor import Actor
from tests.browser.conftest import Open

PHONE = {"width": 390, "height": 844}
LOAD = "form[action='/sample/'] button"


def test_from_nothing_over_a_copied_line_to_the_sample(open_page: Open) -> None:
    page = open_page("/", permissions=["clipboard-read", "clipboard-write"])
    expect(page.locator(".welcome")).to_be_visible()
    page.locator("[data-copy='#connect-codex']").click()
    page.locator("[data-copy='#connect-codex'][data-copied]").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == connect_line("codex")
    page.locator(LOAD).click()
    page.locator("#waiting").wait_for()
    expect(page.locator("#projects").get_by_role("link", name=NAME)).to_be_visible()
    expect(page.locator("#moving li")).to_have_count(2)
    expect(page.locator("#delivered li")).to_have_count(6)
    expect(page.locator(LOAD)).to_have_count(0)


def test_without_scripts_the_sample_loads_and_no_button_is_shown_that_does_nothing(open_page: Open) -> None:
    page = open_page("/", java_script_enabled=False)
    expect(page.locator("[data-copy]").first).to_be_hidden()
    page.locator(LOAD).click()
    expect(page.locator("#moving-title")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, {"width": 2560, "height": 1440}])
def test_home_with_the_sample_fits_and_is_accessible(open_page: Open, theme: str, size: dict[str, int]) -> None:
    load_sample(actor=Actor(kind="person", name="ada"))
    page = open_page("/", viewport=size, color_scheme=theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    page.locator("#connect > summary").click()
    assert Axe().run(page).response["violations"] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_first_visit_fits_a_phone_and_is_accessible(open_page: Open, theme: str) -> None:
    page = open_page("/", viewport=PHONE, color_scheme=theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.locator("details.other > summary").click()
    assert Axe().run(page).response["violations"] == []
