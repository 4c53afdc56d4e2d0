"""The processes of runs: marked in their environment, or below one that is."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress

import psutil

from orchestrator_site.kernel.polling import poll
from tasks.agents.processes import keeper
from tasks.agents.processes.identity import MARKER
from tasks.agents.processes.model import Stray

_KILL_SECONDS = 10.0


def members(run_ids: Collection[str]) -> list[tuple[psutil.Process, str]]:
    """Return the running processes of runs, each with the id of its run. A child may have erased the marker."""
    table = {each.pid: each for each in psutil.process_iter(["ppid", "environ", "status"])}
    marks = {pid: (each.info["environ"] or {}).get(MARKER, "") for pid, each in table.items()}
    parents = {pid: each.info["ppid"] for pid, each in table.items()}
    found = {pid: run for pid, run in marks.items() if run in run_ids}
    while added := {pid: found[above] for pid, above in parents.items() if above in found and pid not in found}:
        found |= added
    found.pop(os.getpid(), None)
    return [(table[pid], run) for pid, run in found.items() if pid in table and _runs(table[pid])]


def _runs(process: psutil.Process) -> bool:
    return process.info["status"] not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


def have_killed(keepers: Iterable[psutil.Process]) -> None:
    """Have keepers kill all below them, which is faster than scans: whoever forks on and on is caught."""
    for each in keepers:
        with suppress(psutil.Error):
            each.send_signal(signal.SIGUSR1)


def is_keeper(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return keeper.__file__ in process.cmdline()
    return False


def kill_all(find: Callable[[], list[psutil.Process]]) -> list[psutil.Process]:
    """Kill until two scans in a row find nothing, since a process may fork during one; return what does not die."""
    empty_scans = 0

    def is_empty() -> bool:
        nonlocal empty_scans
        left = find()
        for each in left:
            with suppress(psutil.Error):
                each.kill()
        empty_scans = 0 if left else empty_scans + 1
        return empty_scans == 2

    return [] if poll(is_empty, seconds=_KILL_SECONDS) else find()


def stray(process: psutil.Process, run_id: str) -> Stray:
    name = ""
    with suppress(psutil.Error):
        name = process.name()
    return Stray(run_id, process.pid, name)
