"""Runs whose work was collected from real worktrees."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tasks.agents.choices import RunState
from tasks.agents.models import Run
from tasks.models import Task
from tests.agents.repositories import Shop, gather, write
from tests.agents.rows import make_run


def make_collected(task: Task, shop: Shop, number: int, *, base: str = "main", **files: str) -> Run:
    """Make a run that succeeded and has written these files, in a worktree that is still there."""
    worktree = shop.run(number, base)
    write(shop.worktrees / str(number), **files)
    found = asdict(gather(worktree))
    facts: dict[str, Any] = {
        "worktree": asdict(worktree), "branch": worktree.branch, "base_commit": worktree.base_commit,
        "head_commit": found.pop("head"), "facts": found,
    }  # fmt: skip
    return make_run(task, RunState.SUCCEEDED, **facts)
