"""Notices changed code and settings for `mcp_serve --reload`. Standard library only, like the proxy itself."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from importlib.machinery import PathFinder

from orchestrator_site.kernel.introduction import data_folder
from orchestrator_site.kernel.processes import ROOT

POLL_SECONDS = 1.0
PACKAGES = ("orchestrator_site", "tasks", "artifacts", "maintenance")
_KINDS = (".py", ".yaml")


def watch(when_changed: Callable[[], None]) -> None:
    """Call back each time a file has changed and then stayed as it is between two looks; never returns."""
    key = os.path.join(data_folder(), "secret_key")  # noqa: PTH118 - pathlib is slow to import
    places = {*(os.path.join(ROOT, package) for package in PACKAGES), *_of_settings(), key}  # noqa: PTH118
    known = last = _state(places)
    while True:
        time.sleep(POLL_SECONDS)
        now = _state(places)
        if key in now:
            known.setdefault(key, now[key])  # the first server makes it
        if now != known and now == last:
            known = now
            when_changed()
        last = now


def _of_settings() -> list[str]:
    """Return where the settings are: the outermost package of their module, or that module itself."""
    found = PathFinder.find_spec(os.environ["DJANGO_SETTINGS_MODULE"].partition(".")[0])
    if found is None:
        return []
    return list(found.submodule_search_locations or filter(None, [found.origin]))


def _state(places: set[str]) -> dict[str, int]:
    return dict(fact for place in places for fact in _files(place))


def _files(place: str) -> Iterator[tuple[str, int]]:
    """Yield each file with the time of its last change: those in a folder that a server reads, or one alone."""
    try:
        if not os.path.isdir(place):  # noqa: PTH112
            yield place, os.stat(place).st_mtime_ns  # noqa: PTH116
            return
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _files(entry.path)
                elif entry.name.endswith(_KINDS):
                    yield entry.path, entry.stat().st_mtime_ns
    except OSError:  # removed in between; the next look sees what is there
        return
