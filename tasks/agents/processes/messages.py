"""Passes further input on to an agent."""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import FileIO
from pathlib import Path

from orchestrator_site.kernel.errors import Conflict
from tasks.agents.processes.folder import FIFO, INPUT, opened
from tasks.agents.processes.identity import is_alive
from tasks.agents.processes.keeper import LAST, MORE
from tasks.agents.processes.model import Process


def send(process: Process, lines: Sequence[bytes], *, last: bool = False) -> None:
    """Pass on lines, whose ends are added, and with `last` end the input. It never waits.

    The keeper hands them on in order as fast as the agent reads. Raises Conflict where run or input has ended.
    """
    if not is_alive(process):
        raise _ended(process)
    try:
        with opened(process, INPUT, os.O_WRONLY | os.O_APPEND) as file:
            file.write(b"".join(line + b"\n" for line in lines))
    except FileNotFoundError:
        raise _ended(process) from None
    _ring(process, LAST if last else MORE)


def _ring(process: Process, order: bytes) -> None:
    try:
        bell = os.open(Path(process.folder, FIFO), os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:  # no one reads it
        raise _ended(process) from None
    with FileIO(bell, "w") as fifo:
        fifo.write(order)


def _ended(process: Process) -> Conflict:
    return Conflict(f"Run {process.run_id} has ended and takes no input.", next="Start another attempt.")
