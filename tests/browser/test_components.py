"""The page of all components, in both themes, from phone to wide screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.urls import clear_url_caches
from playwright.sync_api import Page

from tests.browser.axe import violations
from tests.browser.conftest import Open

WIDTHS = (390, 960, 1280, 1440, 2560)


@pytest.fixture
def components(open_page: Open, settings: Any) -> Page:
    settings.ROOT_URLCONF = "tests.browser.component_urls"
    clear_url_caches()
    return open_page("/components/", viewport={"width": 1440, "height": 900})


def test_every_component_is_photographed_in_both_themes_at_every_width(components: Page, tmp_path: Path) -> None:
    for width in WIDTHS:
        components.set_viewport_size({"width": width, "height": 900})
        pictures = {}
        for theme in ("light", "dark"):
            components.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            pictures[theme] = components.screenshot(path=tmp_path / f"{theme}-{width}.png", full_page=True)
        assert pictures["light"] != pictures["dark"]
        assert components.evaluate("document.documentElement.scrollWidth") <= width


def test_no_component_breaks_a_rule_of_accessibility(components: Page) -> None:
    assert violations(components) == []


def test_shapes_stay_in_forced_colors(components: Page) -> None:
    components.emulate_media(forced_colors="active")
    states = components.locator("#c-states .state:not(.pill) use")
    assert len(set(states.evaluate_all("all => all.map((use) => use.href.baseVal)"))) == 9
    assert all(box and box["width"] > 0 for box in (states.nth(n).bounding_box() for n in range(states.count())))


def test_motion_stops_where_it_is_not_wanted(components: Page) -> None:
    components.emulate_media(reduced_motion="reduce")
    durations = "[...document.querySelectorAll('*')].map((each) => getComputedStyle(each).transitionDuration)"
    assert set(components.evaluate(durations)) == {"0s"}
