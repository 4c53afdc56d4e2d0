"""The installed Chromium: its headless shell where there is one, which takes half the CPU time."""

from __future__ import annotations

import shutil

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
MISSING = "Chromium is not installed: apt-get install chromium-headless-shell (or chromium)"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
