"""Ends the children of supervisors that were killed: they would hold the port and go on running jobs."""

from __future__ import annotations

import logging
import os
from contextlib import suppress

import psutil
from django.conf import settings

from orchestrator_site.kernel.processes import kill_group
from orchestrator_site.up.pdeathsig import OPTION

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 2.0


def supervisor_option() -> str:
    """Return the argument that marks the children of this process: its id and the data folder."""
    return f"{OPTION}{os.getpid()}:{settings.ORCHESTRATOR_HOME}"


def end_orphans() -> int:
    orphans = [process for process in psutil.process_iter() if _is_orphan(process)]
    for orphan in orphans:
        logger.warning("Ending process %d, whose supervisor was killed.", orphan.pid)
        kill_group(orphan.pid)
        with suppress(psutil.Error):
            orphan.kill()  # where the leader of its group has exited
    for survivor in psutil.wait_procs(orphans, PATIENCE_SECONDS)[1]:
        logger.warning("Process %d does not exit.", survivor.pid)
    return len(orphans)


def _is_orphan(process: psutil.Process) -> bool:
    """Its parent is neither a supervisor nor, as for forks of the worker and Python's launcher on Windows, a child."""
    if not _is_child(_words(process)):
        return False
    with suppress(psutil.Error):
        parent = process.parent()
        words = _words(parent) if parent else []
        return "up" not in words and not _is_child(words)
    return False


def _is_child(words: list[str]) -> bool:
    home = f":{settings.ORCHESTRATOR_HOME}"
    return any(word.startswith(OPTION) and word.endswith(home) for word in words)


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it has exited, or it is another user's
        return []
