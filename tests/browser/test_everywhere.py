"""What holds on every page: texts stay texts, nothing runs off sideways, no JavaScript is needed, nothing complains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page

from artifacts.models import Artifact
from tests.browser.conftest import Open
from tests.factories import make_artifact
from tests.tour import HOSTILE, LONG, NOT_SHOWN, World, make_world, named_pages

DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
WINDOWS: dict[str, dict[str, Any]] = {
    "desk": {"viewport": DESK},
    "phone": {"viewport": PHONE, "has_touch": True},
    "phone, dark, without JavaScript": {"viewport": PHONE, "color_scheme": "dark", "java_script_enabled": False},
}
TEXTS = {
    "hostile and long": HOSTILE + LONG,
    "huge": "w" * 50_000 + " word" * 10_000,
    "right to left": "שלום עולם " * 20,
}

SHIFTED = """new Promise((done) => {
  let sum = 0;
  const add = (list) => { for (const entry of list.getEntries()) sum += entry.value; };
  new PerformanceObserver(add).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(sum), 300);
})"""
"""How far what is in sight moved by itself, as https://web.dev/articles/cls counts it."""
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
    for width in (2560, 1440, 1280, 960, 390):
        page.set_viewport_size({"width": width, "height": 844})
        if (wider := page.evaluate(WIDER)) > 0:
            found.append(f"is {wider} px wider than {width} px")
    if (headings := page.locator("h1").count()) != 1:
        found.append(f"has {headings} first headings")
    return found


@pytest.mark.parametrize(
    ("window", "text"), [*(("phone", text) for text in TEXTS), ("phone, dark, without JavaScript", "hostile and long")]
)
def test_every_page_withstands_hostile_and_long_texts(open_page: Open, window: str, text: str) -> None:
    world = make_world(TEXTS[text])
    page = open_page("/", **WINDOWS[window])
    problems: dict[str, list[str]] = {}
    for name, address in _shown(world):
        answer = page.goto(address)
        assert answer is not None
        if found := _problems(page, answer.status):
            problems[name] = found
    assert problems == {}


@pytest.mark.parametrize("window", ["desk", "phone"])
def test_nothing_jumps_while_it_loads(open_page: Open, window: str) -> None:
    world = make_world()
    make_artifact(world.review, "def count() -> int:\n    return 1\n" * 60, paths=["src/count.py"])
    page = open_page("/", **WINDOWS[window])
    pages = dict(_shown(world)) | {"source": reverse("artifact", args=[Artifact.objects.latest("pk").public_id])}
    jumps: dict[str, float] = {}
    for name, address in pages.items():
        page.goto(address)
        if (shifted := page.evaluate(SHIFTED)) > 0.01:
            jumps[name] = shifted
    assert jumps == {}


def test_the_tour_leaves_no_page_out() -> None:
    needs_words = {name for name in named_pages() - NOT_SHOWN if _has_words(name)}
    known = set(make_world().words)
    assert needs_words - known == {"token-revoke"}
