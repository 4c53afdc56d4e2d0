"""Runs whose changes were collected from real worktrees, without a supervisor."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.utils import timezone

from tasks.agents import worktrees
from tasks.agents.choices import RunState
from tasks.agents.models import Run
from tasks.models import Task
from tests.agents import repositories
from tests.agents.rows import make_run
from tests.agents.supervised import git

CART = "def total(lines):\n    price = 0\n    for line in lines:\n        price += line.price\n    return price\n"


def make_shop(folder: Path) -> Path:
    """Make a repository with a commit on main, which is checked out."""
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    write(folder, {"shop/cart.py": CART, "README.md": "# Shop\n"})
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Begin")
    return folder


def collected(task: Task, shop: Path, files: dict[str, str], state: str = RunState.FAILED, **fields: Any) -> Run:
    """Make a run that has written these files, which were collected."""
    return collect_into(make_run(task, state, started_at=timezone.now(), **fields), shop, files)


def collect_into(run: Run, shop: Path, files: dict[str, str]) -> Run:
    folder = shop.parent / "worktrees" / run.public_id
    branch = f"orchestrator/{run.public_id}/1"
    made = worktrees.make(worktrees.locate(shop), folder=folder, branch=branch, base="main")
    write(folder, files)
    found = asdict(worktrees.collect(made, message=run.task.title, limit_bytes=1024**2))
    head = found.pop("head")
    Run.objects.filter(pk=run.pk).update(
        worktree=asdict(made), branch=made.branch, base_commit=made.base_commit, head_commit=head, facts=found
    )
    return Run.objects.select_related("task", "project", "plan").get(pk=run.pk)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def make_collected(task: Task, shop: repositories.Shop, number: int, *, base: str = "main", **files: str) -> Run:
    """Make a run that succeeded and has written these files, in a worktree that is still there."""
    worktree = shop.run(number, base)
    repositories.write(shop.worktrees / str(number), **files)
    found = asdict(repositories.gather(worktree))
    facts: dict[str, Any] = {
        "worktree": asdict(worktree), "branch": worktree.branch, "base_commit": worktree.base_commit,
        "head_commit": found.pop("head"), "facts": found,
    }  # fmt: skip
    return make_run(task, RunState.SUCCEEDED, **facts)
