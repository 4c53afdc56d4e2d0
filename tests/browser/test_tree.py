"""The tree of files as a person sees it: on a phone, in the dark, and without scripts."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.factories import make_artifact, make_project, make_task

LONG = "a-name-that-goes-on-and-on-" * 8 + ".py"
WINDOWS = [{"width": 390, "height": 700}, {"width": 1280, "height": 800}]


@pytest.mark.parametrize("window", WINDOWS, ids=["phone", "desk"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_folders_lead_down_and_back_up_without_a_script(open_page: Open, window: dict[str, int], scheme: str) -> None:
    task = make_task(make_project("shop", name="Shop"), title="Build " * 40)
    make_artifact(task, "x", paths=[f"src/größe #1/{LONG}"], kind="code")
    page = open_page("/projects/shop/", viewport=window, color_scheme=scheme, java_script_enabled=False)
    page.locator(".tabs a[href$='/files/']").click()
    page.get_by_role("link", name="src/").click()
    page.get_by_role("link", name="größe #1/").click()
    expect(page.get_by_role("heading", name="größe #1")).to_be_visible()
    file = page.get_by_role("link", name=LONG)
    box = file.bounding_box()
    assert box and box["x"] + box["width"] <= window["width"]
    with page.expect_download() as download:
        page.locator("[data-zip]").click()
    assert download.value.suggested_filename == "shop-größe #1.zip"
    page.locator("nav.trail").get_by_role("link", name="src").click()
    expect(page.get_by_role("link", name="größe #1/")).to_be_visible()
    page.get_by_role("link", name="größe #1/").click()
    page.get_by_role("link", name=LONG).click()
    expect(page.locator("h1")).to_contain_text("a-name-that-goes-on")
