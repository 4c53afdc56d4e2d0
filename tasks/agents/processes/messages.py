"""Passes further input on to an agent."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.agents.processes.model import Process


def send(process: Process, lines: Sequence[bytes], *, last: bool = False) -> None:
    """Pass on lines, whose ends are added, and with `last` end the input. It never waits.

    The keeper hands them on in order as fast as the agent reads. Raises Conflict where the run has ended or its input
    has.
    """
    raise NotImplementedError
