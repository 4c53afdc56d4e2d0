"""Small screenshots with Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright

from tests.chromium import CHROMIUM, FLAGS, MISSING
from tests.screenshots.palette import packed

LIMIT_BYTES = 150 * 1024


@contextmanager
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """Start the installed Chromium."""
    if CHROMIUM is None:
        raise SystemExit(MISSING)
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, "--font-render-hinting=none"])
    yield browser
    browser.close()


def take(page: Page, path: Path) -> int:
    """Take a screenshot of the viewport; returns its size in bytes."""
    data = page.screenshot(animations="disabled", caret="hide")
    smaller = packed(data)
    path.write_bytes(smaller)
    return len(smaller)
