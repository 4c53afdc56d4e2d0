"""Where the files of runs are, below the data folder; nothing of a run lies inside the user's repository."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from tasks.agents.models import Attempt, Run


def runs_folder() -> Path:
    return Path(settings.ORCHESTRATOR_HOME) / "runs"


def worktrees_folder() -> Path:
    return Path(settings.ORCHESTRATOR_HOME) / "worktrees"


def folder_of(run: Run) -> Path:
    return runs_folder() / run.public_id


def make_folder_of(run: Run) -> None:
    """Make the folder of a run, and the home of its agent in it, for the account of the server alone."""
    for folder in (runs_folder(), folder_of(run), home_of(run)):
        folder.mkdir(mode=0o700, exist_ok=True)


def home_of(run: Run) -> Path:
    """Return the home of the run's agent, which keeps its sessions: all attempts share it."""
    return folder_of(run) / "home"


def folder_of_attempt(attempt: Attempt) -> Path:
    return folder_of(attempt.run) / str(attempt.number)


def log_of(run: Run) -> Path:
    """Return the file of what happened in a run, a line of JSON for each event."""
    return folder_of(run) / "log.jsonl"


def setup_log_of(run: Run) -> Path:
    return folder_of(run) / "setup.log"
