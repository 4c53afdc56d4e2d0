"""What this machine has: the agents' programs and their versions, a jail, and how many may run at once."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

from tasks.agents.adapters.base import Adapter
from tasks.agents.processes import probe_jail

VERSION_SECONDS = 30.0
PARALLEL = 4
MEMORY_PER_RUN = 400 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Program:
    """The program of an agent; `path` is empty where there is none, or where the project names it."""

    path: str
    version: str = ""
    warning: str = ""
    has_login: bool = True


def program_of(adapter: Adapter) -> Program:
    path = next(filter(None, map(shutil.which, adapter.executables)), "")
    if not path:
        return Program("")
    version = _version(adapter, path, Path(path).stat().st_mtime)
    return Program(path, version or "", adapter.warning(version), _has_login(adapter))


@cache
def _version(adapter: Adapter, path: str, changed_at: float) -> str | None:
    """Ask a program for its version, once for each file."""
    try:
        done = subprocess.run(
            [path, *adapter.version_argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=VERSION_SECONDS, check=False, cwd=Path(path).anchor,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return adapter.version(done.stdout)


def _has_login(adapter: Adapter) -> bool:
    """Whether a login may be there; agents without one need none."""
    if not (adapter.secrets or adapter.login_files):
        return True
    is_set = any(os.environ.get(name) for name in adapter.secrets)
    return is_set or any((Path.home() / file).exists() for file in adapter.login_files)


@cache
def why_no_jail() -> str:
    return probe_jail() or ""


def slots(working: int) -> int:
    """Return how many further runs may begin on this machine, beside those at work."""
    by_memory = psutil.virtual_memory().available // MEMORY_PER_RUN
    return max(0, min(PARALLEL - working, (os.cpu_count() or 1) - working, by_memory))
