"""Ends a run with everything that it started."""

from __future__ import annotations

import signal
from collections.abc import Collection, Sequence
from contextlib import suppress

import psutil

from orchestrator_site.kernel.errors import Conflict, ServerFault
from orchestrator_site.kernel.polling import poll
from tasks.agents.processes.folder import AGENT, number_in
from tasks.agents.processes.identity import is_alive, keeper_of
from tasks.agents.processes.jail import BWRAP
from tasks.agents.processes.members import have_killed, is_keeper, kill_all, members, stray
from tasks.agents.processes.messages import send
from tasks.agents.processes.model import Ended, Exit, Process, Stray
from tasks.agents.processes.watching import wait

GRACE_SECONDS = 5.0
_SETTLE_SECONDS = 0.5  # for what ends by itself when its agent does
_KEEPER_SECONDS = 2.0


def end(process: Process, *, interrupt: Sequence[bytes] = (), grace: float = GRACE_SECONDS) -> Ended:
    """Ask the agent to exit, by the lines that interrupt it, if any, then by SIGTERM; after `grace` seconds kill all.

    It may be called again, and for a run that has ended.
    """
    exited = _interrupted(process, interrupt, grace / 2) if interrupt else wait(process, seconds=0)
    if exited is None:
        _terminate(process)
        exited = wait(process, seconds=grace / 2 if interrupt else grace)
    if exited is not None:
        poll(lambda: not _members(process), seconds=_SETTLE_SECONDS, interval=0.1)
    strays = [stray(each, process.run_id) for each in _members(process)] if exited is not None else []
    have_killed(filter(None, [keeper_of(process)]))
    survivors = kill_all(lambda: _members(process))
    exited = exited or wait(process, seconds=_KEEPER_SECONDS)
    _end_keeper(process)
    return Ended(
        exited.code if exited else None, tuple(strays), tuple(stray(each, process.run_id) for each in survivors)
    )


def strays(run_ids: Collection[str]) -> list[Stray]:
    """Return the processes that are left of runs, which is an error where those have ended."""
    return [stray(each, run_id) for each, run_id in members(run_ids)]


def end_strays(run_ids: Collection[str]) -> tuple[Stray, ...]:
    """Kill what is left of runs that have ended; return what could not be killed."""
    have_killed(each for each, _ in members(run_ids) if is_keeper(each))
    poll(lambda: not members(run_ids), seconds=_KEEPER_SECONDS)
    kill_all(lambda: [each for each, _ in members(run_ids)])
    return tuple(strays(run_ids))


def _members(process: Process) -> list[psutil.Process]:
    """Return the processes of a run without its keeper."""
    keeper = process.pid if is_alive(process) else None
    return [each for each, _ in members([process.run_id]) if each.pid != keeper]


def _interrupted(process: Process, lines: Sequence[bytes], seconds: float) -> Exit | None:
    try:
        send(process, lines, last=True)
    except (Conflict, ServerFault):  # it takes no input any more
        return wait(process, seconds=0)
    return wait(process, seconds=seconds)


def _terminate(process: Process) -> None:
    if agent := _agent(process):
        with suppress(psutil.Error):
            agent.send_signal(signal.SIGTERM)


def _agent(process: Process) -> psutil.Process | None:
    """Return the agent itself: in a jail it is the only child of the only child of the one that was started."""
    pid = number_in(process, AGENT)
    with suppress(psutil.Error):
        found = psutil.Process(pid)
        if found.ppid() != process.pid:  # it has exited, and this is another one
            return None
        while found.name() == BWRAP and (inner := found.children()):
            found = inner[0]
        return found
    return None


def _end_keeper(process: Process) -> None:
    if not poll(lambda: not is_alive(process), seconds=_KEEPER_SECONDS) and (keeper := keeper_of(process)):
        with suppress(psutil.Error):
            keeper.kill()
        poll(lambda: not is_alive(process), seconds=_KEEPER_SECONDS)
