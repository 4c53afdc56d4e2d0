"""Notices changed code for `mcp_serve --reload`. Standard library only, like the proxy itself."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

from orchestrator_site.kernel.processes import ROOT

POLL_SECONDS = 1.0
PACKAGES = ("orchestrator_site", "tasks", "artifacts", "maintenance")


def watch(when_changed: Callable[[], None]) -> None:
    """Call back each time code has changed and then stayed as it is between two looks; never returns."""
    known = last = _state()
    while True:
        time.sleep(POLL_SECONDS)
        now = _state()
        if now != known and now == last:
            known = now
            when_changed()
        last = now


def _state() -> frozenset[tuple[str, int]]:
    return frozenset(fact for package in PACKAGES for fact in _modules(os.path.join(ROOT, package)))  # noqa: PTH118


def _modules(folder: str) -> Iterator[tuple[str, int]]:
    """Yield each module below a folder with the time of its last change."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _modules(entry.path)
                elif entry.name.endswith(".py"):
                    yield entry.path, entry.stat().st_mtime_ns
    except FileNotFoundError:  # removed in between; the next look sees what is there
        return
