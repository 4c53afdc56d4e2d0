"""Check Python, the installed packages, the data folder and its disk."""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import django
from django.conf import settings

import orchestrator_site
from orchestrator_site.doctor.clients import is_open
from orchestrator_site.doctor.findings import Finding, ok, problem, warning
from orchestrator_site.kernel.files import fault_at
from orchestrator_site.up.connect import quote

MEGABYTE = 1024 * 1024
DISK_WARNING, DISK_PROBLEM = 1024 * MEGABYTE, 100 * MEGABYTE
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)[^;\n]*(;?)", re.MULTILINE)


def versions() -> Iterator[Finding]:
    yield ok(
        "environment",
        f"Python {platform.python_version()} on {platform.system()}, Django {django.get_version()}, "
        f"MCP Task Orchestrator {orchestrator_site.__version__}.",
        python=platform.python_version(),
        django=django.get_version(),
        version=orchestrator_site.__version__,
    )
    lock = Path(settings.BASE_DIR) / "requirements.lock"
    if not lock.is_file():
        return
    missing, other = compare_pins(lock.read_text(encoding="utf-8"))
    advice = "Install the locked packages: python -m pip install --require-hashes -r requirements.lock"
    if missing:
        yield problem("packages", f"Missing: {', '.join(missing)}.", advice, missing=missing, other=other)
    elif other:
        yield warning("packages", f"Other versions than in the lock file: {', '.join(other)}.", advice, other=other)
    else:
        yield ok("packages", "All packages match the lock file.")


def compare_pins(lock: str) -> tuple[list[str], list[str]]:
    """Return the packages that are missing, and those with other versions than their pins.

    A package that is pinned for some platforms only may be missing.
    """
    pins: dict[str, set[str]] = {}
    conditional: set[str] = set()
    for name, pinned, condition in _PIN.findall(lock):
        pins.setdefault(name, set()).add(pinned)
        if condition:
            conditional.add(name)
    missing, other = [], []
    for name, allowed in pins.items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            missing += [] if name in conditional else [name]
            continue
        if installed not in allowed:
            other.append(f"{name} {installed} instead of {' or '.join(sorted(allowed))}")
    return missing, other


def data_folder() -> Iterator[Finding]:
    home = Path(settings.ORCHESTRATOR_HOME)
    for folder in (home, *(home / name for name in ("content", "staging") if os.path.lexists(home / name))):
        if (fault := fault_at(folder, keep_free=0)) is not None:
            advice = f"Check it: ls -ld {quote([str(folder)])}; mount"
            yield problem("data folder", f"{folder} cannot be used: {fault.value}.", advice)
            return
    if is_open(home):
        yield warning("data folder", f"Others can access {home}.", f"Restrict it: chmod 700 {quote([str(home)])}")
    else:
        yield ok("data folder", f"{home}.", path=str(home))
    key = home / "secret_key"
    if key.exists() and is_open(key):
        yield problem(
            "data folder", f"Others can read {key} and forge sessions with it.", quote(["chmod", "600", str(key)])
        )


def disk() -> Iterator[Finding]:
    free = shutil.disk_usage(settings.ORCHESTRATOR_HOME).free
    what = f"{free // MEGABYTE:,} MB free on the disk of the data folder."
    if free < DISK_PROBLEM:
        yield problem("disk", what, "Free some space now: artifacts can no longer be stored.", free_bytes=free)
    elif free < DISK_WARNING:
        yield warning("disk", what, "Free some space soon.", free_bytes=free)
    else:
        yield ok("disk", what, free_bytes=free)
