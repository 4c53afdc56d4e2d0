"""Processes and their groups: who they are, and how they are ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

POLL_SECONDS = 0.02


def identity(pid: int) -> str | None:
    """Return what tells a process from a later one with the same number; None where it has ended or cannot be told.

    On Linux that is the boot and the tick at which it began, elsewhere the second at which it began.
    """
    if os.name != "posix":
        return None
    return _identity_on_linux(pid) if Path("/proc/self/stat").exists() else _identity_elsewhere(pid)


def _identity_elsewhere(pid: int) -> str | None:
    asked = ["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)]
    alike = os.environ | {"LC_ALL": "C", "TZ": "UTC"}  # whoever asks gets the same words
    told = subprocess.run(asked, capture_output=True, text=True, check=False, env=alike).stdout
    state, _, began = told.strip().partition(" ")
    return None if not began or state.startswith("Z") else began.strip()


def _identity_on_linux(pid: int) -> str | None:
    try:
        facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, began = facts[0], facts[19]
    return None if state in "ZX" else f"{boot} {began}"


def kill_group(pid: int) -> None:
    """End a process that leads a group, and all of the group, at once."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(pid)], capture_output=True, check=False)  # noqa: S607
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def wait_until_gone(pid: int, known_as: str, seconds: float) -> bool:
    """Wait for the end of a process that is not our child; tells whether it came."""
    deadline = time.monotonic() + seconds
    while identity(pid) == known_as:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
