"""Take screenshots of the pages in light and dark: `make screenshots`.

Starts its own site and loads the sample project.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.live import LiveSite, live_site
from tests.screenshots.camera import LIMIT_BYTES, chromium, take
from tests.screenshots.views import OF_MAINTENANCE, OF_THE_BOARD, THEMES, let_days_pass, load_sample, sign_in
from tests.site.processes import ROOT

FOLDER = ROOT / "docs" / "screenshots"


def main(folder: Path = FOLDER) -> int:
    """Take all screenshots; returns 1 if one is too large."""
    folder.mkdir(parents=True, exist_ok=True)
    with live_site() as site:
        sizes = _taken(site, folder)
    for path, size in sizes.items():
        print(f"{size / 1024:6.0f} kB  {path.name}{'  TOO LARGE' if size > LIMIT_BYTES else ''}")
    return int(max(sizes.values()) > LIMIT_BYTES)


def _taken(site: LiveSite, folder: Path) -> dict[Path, int]:
    sizes = {}
    with sync_playwright() as playwright, chromium(playwright) as browser:
        state = sign_in(site, browser)
        for prepare, views in ((load_sample, OF_THE_BOARD), (let_days_pass, OF_MAINTENANCE)):
            prepare(site, browser, state)
            for theme in THEMES:
                context = browser.new_context(
                    viewport={"width": 1440, "height": 900},
                    color_scheme=theme,
                    storage_state=state,
                    reduced_motion="reduce",
                )
                page = context.new_page()
                for view in views:
                    view.open(page, site.site.address)
                    path = folder / f"{view.name}-{theme}.png"
                    sizes[path] = take(page, path)
                context.close()
    return sizes


if __name__ == "__main__":
    sys.exit(main())
