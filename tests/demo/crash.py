"""kill -9 of a process and everything that it started, so that none of them can do anything more."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path


def kill_with_all_below(pid: int) -> int:
    """Kill a process and its descendants; returns how many.

    They are stopped first: otherwise one that outlives the other by a millisecond sees its pipe end and tidies up.
    """
    found = [pid]
    for each in found:
        os.kill(each, signal.SIGSTOP)
        found += _children(each)
    for each in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    return len(found)


def _children(pid: int) -> list[int]:
    if not Path("/proc/self/task").is_dir():
        lines = subprocess.check_output(["ps", "-A", "-o", "pid=,ppid="], text=True).splitlines()
        return [int(child) for child, parent in map(str.split, lines) if int(parent) == pid]
    listings = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for listing in listings for child in listing.read_text().split()]
