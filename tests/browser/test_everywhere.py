"""What holds on every page: texts stay texts, nothing runs off sideways, no JavaScript is needed, nothing complains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Open
from tests.tour import HOSTILE, LONG, NOT_SHOWN, World, make_world, named_pages

WINDOWS: dict[str, dict[str, Any]] = {
    "desk, light": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "desk, dark": {"viewport": {"width": 2560, "height": 1440}, "color_scheme": "dark"},
    "phone, light": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "color_scheme": "light"},
    "phone, dark, without JavaScript": {
        "viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "java_script_enabled": False,
    },
}  # fmt: skip
TEXTS = {"hostile": HOSTILE, "long": LONG, "huge": "w" * 50_000 + " word" * 10_000, "right to left": "שלום עולם " * 20}

WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def _shown(world: World) -> Iterator[tuple[str, str]]:
    for name in sorted(named_pages() - NOT_SHOWN):
        if name in world.words or not _has_words(name):
            yield name, world.address(name)


def _has_words(name: str) -> bool:
    from django.urls import NoReverseMatch, reverse

    try:
        return not reverse(name)
    except NoReverseMatch:
        return True


def _problems(page: Page, status: int) -> list[str]:
    found = [] if status == 200 else [f"answered {status}"]
    if "taken" in page.title().split("·")[-1] or page.title() == "taken":
        found.append("ran a text")
    if (wider := page.evaluate(WIDER)) > 0:
        found.append(f"is {wider} px wider than the window")
    if (headings := page.locator("h1").count()) != 1:
        found.append(f"has {headings} first headings")
    return found


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("text", TEXTS)
def test_every_page_stands_firm(open_page: Open, window: str, text: str) -> None:
    world = make_world(TEXTS[text])
    page = open_page("/", **WINDOWS[window])
    problems: dict[str, list[str]] = {}
    for name, address in _shown(world):
        answer = page.goto(f"{page.url.split('/', 3)[0]}//{page.url.split('/')[2]}{address}")
        assert answer is not None
        if found := _problems(page, answer.status):
            problems[name] = found
    assert problems == {}


def test_the_tour_leaves_no_page_out() -> None:
    needs_words = {name for name in named_pages() - NOT_SHOWN if _has_words(name)}
    known = set(make_world().words)
    assert needs_words - known == {"token-revoke"}
