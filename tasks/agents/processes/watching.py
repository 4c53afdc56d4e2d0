"""Watches a run: does it live, has it exited, what does it use."""

from __future__ import annotations

import time
from contextlib import suppress

import psutil

from orchestrator_site.kernel.polling import poll
from tasks.agents.processes.folder import EXIT, number_in, size_of
from tasks.agents.processes.identity import is_alive, keeper_of
from tasks.agents.processes.model import Excess, Exit, Limits, Log, Measured, Process

_POLL_SECONDS = 0.05


def wait(process: Process, *, seconds: float) -> Exit | None:
    """Wait until the agent exits; None where it has not by then. What it wrote is in the logs before this returns.

    The code is None where no one is left who knows it.
    """
    found: Exit | None = None

    def has_exited() -> bool:
        nonlocal found
        has_keeper = is_alive(process)  # asked first: a keeper that has exited has noted the code
        code = number_in(process, EXIT) if size_of(process, EXIT) else None
        found = Exit(code) if code is not None or not has_keeper else None
        return found is not None

    poll(has_exited, seconds=seconds, interval=_POLL_SECONDS)
    return found


def measure(process: Process, limits: Limits | None = None) -> Measured:
    """Return what a run uses now; nothing where it has ended, except for its logs."""
    limits = limits or Limits()
    memory, keeper = [], keeper_of(process)
    with suppress(psutil.Error):
        for each in keeper.children(recursive=True) if keeper else []:
            with suppress(psutil.Error):
                memory.append(each.memory_info().rss)
    log_bytes, stderr_bytes = size_of(process, Log.EVENTS), size_of(process, Log.ERRORS)
    is_full = log_bytes >= limits.log_bytes or stderr_bytes >= limits.stderr_bytes
    return Measured(sum(memory), len(memory), log_bytes, stderr_bytes, is_full)


class Watch:
    """Notices what a run must not do for long; one for each run and supervisor, asked every few seconds."""

    def __init__(
        self, process: Process, *, idle_seconds: float, memory_bytes: int, limits: Limits | None = None
    ) -> None:
        self._process, self._limits = process, limits
        self._idle_seconds, self._memory_bytes = idle_seconds, memory_bytes
        self._written, self._since = -1, 0.0

    def excess(self) -> Excess | None:
        """Return why the run has to be ended by now. Idle is one that has written nothing for `idle_seconds`."""
        now = measure(self._process, self._limits)
        written = now.log_bytes + now.stderr_bytes
        if written != self._written:
            self._written, self._since = written, time.monotonic()
        if now.is_log_full:
            return Excess.LOG_FULL
        if now.memory_bytes > self._memory_bytes:
            return Excess.MEMORY
        return Excess.IDLE if time.monotonic() - self._since >= self._idle_seconds else None
