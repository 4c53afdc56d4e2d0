"""Watches a run: does it live, has it exited, what does it use."""

from __future__ import annotations

from tasks.agents.processes.model import Excess, Exit, Limits, Measured, Process


def is_alive(process: Process) -> bool:
    """Tell whether the run still has its keeper, so that it can be adopted. It may have without its agent."""
    raise NotImplementedError


def wait(process: Process, *, seconds: float) -> Exit | None:
    """Wait until the agent exits; None where it has not by then. What it wrote is in the logs before this returns.

    The code is None where nobody is left who knows it.
    """
    raise NotImplementedError


def measure(process: Process, limits: Limits | None = None) -> Measured:
    """Return what a run uses now; nothing where it has ended, except for its logs."""
    raise NotImplementedError


class Watch:
    """Notices what a run must not do for long; one for each run and supervisor, asked every few seconds."""

    def __init__(
        self, process: Process, *, idle_seconds: float, memory_bytes: int, limits: Limits | None = None
    ) -> None:
        raise NotImplementedError

    def excess(self) -> Excess | None:
        """Return why the run has to be ended by now. Idle is one that has written nothing for `idle_seconds`."""
        raise NotImplementedError
