"""States of runs, what ends them, and how their results come back."""

from __future__ import annotations

from django.db import models


class RunState(models.TextChoices):
    QUEUED = "queued", "Queued"
    PREPARING = "preparing", "Preparing"
    RUNNING = "running", "Running"
    ASKING = "asking", "Asking"
    RATE_LIMITED = "rate_limited", "Rate limited"
    STOPPING = "stopping", "Stopping"
    COLLECTING = "collecting", "Collecting"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    TIMED_OUT = "timed_out", "Timed out"
    KILLED = "killed", "Killed"
    INTERRUPTED = "interrupted", "Interrupted"
    LOST = "lost", "Lost"
    TAMPERED = "tampered", "Tampered"


WORKING = (
    RunState.PREPARING,
    RunState.RUNNING,
    RunState.ASKING,
    RunState.RATE_LIMITED,
    RunState.STOPPING,
    RunState.COLLECTING,
)
"""A supervisor has it."""
LIVE = (RunState.QUEUED, *WORKING)
ENDED = tuple(state for state in RunState if state not in LIVE)
RESUMABLE = tuple(state for state in ENDED if state not in (RunState.SUCCEEDED, RunState.TAMPERED))


class AskState(models.TextChoices):
    OPEN = "open", "Open"
    ALLOWED = "allowed", "Allowed"
    DENIED = "denied", "Denied"
    LAPSED = "lapsed", "Lapsed"


class Workspace(models.TextChoices):
    NEW = "new", "A worktree of its own"
    PERSISTENT = "persistent", "One worktree for the subtasks of a parent"
    CURRENT = "current", "The project's own folder"


class Communication(models.TextChoices):
    ARTIFACT = "artifact", "The agent delivers on the board"
    FILE = "file", "The agent leaves files, which are delivered for it"


class MergeMode(models.TextChoices):
    SQUASH = "squash", "One commit"
    MERGE = "merge", "Its commits and a merge"
    PATCH = "patch", "A patch, to apply yourself"
