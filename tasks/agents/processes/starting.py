"""Starts an agent in a run folder of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tasks.agents.processes.model import Jail, Limits, Process


def start(
    *,
    run_id: str,
    folder: Path,
    argv: Sequence[str],
    environment: Mapping[str, str],
    cwd: Path,
    first_input: bytes = b"",
    stdin_stays_open: bool = False,
    files: Mapping[str, str] | None = None,
    jail: Jail | None = None,
    limits: Limits | None = None,
) -> Process:
    """Start an agent and return at once. `environment` is all of it, besides the marker of the run.

    `files` are written first, by paths relative to the run folder. Without `stdin_stays_open` its input ends after the
    first. Raises Unavailable where the program cannot be started, Conflict where one was started in this folder.
    """
    raise NotImplementedError


def found(folder: Path) -> Process | None:
    """Return what was started in a run folder, for a supervisor that was killed before it could store it."""
    raise NotImplementedError
