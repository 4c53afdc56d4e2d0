"""Reads the logs of a run by cursor, and what may be shown of them."""

from __future__ import annotations

from collections.abc import Iterable

from tasks.agents.processes.model import MIB, Lines, Log, Process


def read(process: Process, offset: int, *, limit: int = MIB, log: Log = Log.EVENTS) -> Lines:
    """Return lines from a byte offset, about `limit` bytes of them, and at least one where there is one.

    A last line without its end counts only once the run has ended.
    """
    raise NotImplementedError


def redact(text: str, secrets: Iterable[str]) -> str:
    """Replace known secrets of at least eight characters, also as JSON writes them."""
    raise NotImplementedError
