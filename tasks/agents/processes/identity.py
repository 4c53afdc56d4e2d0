"""Which process is which, also after its pid was given to another one."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil

from tasks.agents.processes.model import Process

MARKER = "ORCHESTRATOR_RUN"
"""The variable that names the run in the environment of all its processes."""

# The keepers that this process has started: it has to collect them when they exit.
children: dict[int, subprocess.Popen[bytes]] = {}


def identity_of(pid: int) -> str | None:
    """Return what no other process has ever had with this pid, or None where none runs. Zombies do not run."""
    if sys.platform != "linux":
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            return str(process.create_time()) if process.status() != psutil.STATUS_ZOMBIE else None
        return None
    # The tick of its start, and the boot that ticks are counted from: a time of day would change with the clock.
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    state, *fields = stat.rpartition(b")")[2].split()
    return None if state in b"ZXx" else f"{_boot_id()}:{fields[18].decode()}"


@cache
def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def keeper_of(process: Process) -> psutil.Process | None:
    """Return the keeper of a run while it lives."""
    with suppress(psutil.Error):
        keeper = psutil.Process(process.pid)
        return keeper if is_alive(process) else None
    return None


def is_alive(process: Process) -> bool:
    """Tell whether the run still has its keeper, so that it can be adopted. Its agent may have exited."""
    if (own := children.get(process.pid)) and own.poll() is not None:
        children.pop(process.pid, None)
    return identity_of(process.pid) == process.identity
