"""Ends a run with everything that it started."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tasks.agents.processes.model import Ended, Process, Stray

GRACE_SECONDS = 5.0


def end(process: Process, *, interrupt: Sequence[bytes] = (), grace: float = GRACE_SECONDS) -> Ended:
    """Ask the agent to exit, by the lines that interrupt it or else by SIGTERM; after `grace` seconds kill all.

    It may be called again, and for a run that has ended.
    """
    raise NotImplementedError


def strays(run_ids: Collection[str]) -> list[Stray]:
    """Return the processes that are left of runs, which is an error where those have ended."""
    raise NotImplementedError


def end_strays(run_ids: Collection[str]) -> tuple[Stray, ...]:
    """Kill what is left of runs that have ended; return what could not be killed."""
    raise NotImplementedError
