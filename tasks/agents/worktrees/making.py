"""Make worktrees, put them back, and remove them."""

from __future__ import annotations

from pathlib import Path

from tasks.agents.worktrees.records import Kind, Worktree


def locate(folder: Path) -> str:
    """Return the repository of a folder as all functions here take it: Git's common folder. Raises NotFound."""
    raise NotImplementedError


def make(repository: str, *, folder: Path, branch: str, base: str, kind: Kind = Kind.NEW) -> Worktree:
    """Make a worktree with a new branch at a base (any revision), locked at birth.

    What a `make` that was killed left in this folder and at this branch is cleared first. Raises NotFound for a base
    that is not there, Conflict for a branch or folder that is in use.
    """
    raise NotImplementedError


def current(folder: Path) -> Worktree:
    """Return the user's own checkout, with the commit and fingerprint before the run."""
    raise NotImplementedError


def restore(worktree: Worktree) -> Worktree:
    """Make a removed worktree again from its branch, at the same path, with a new fingerprint: for a resumed run."""
    raise NotImplementedError


def clear_locks(worktree: Worktree) -> list[str]:
    """Delete the lock files that killed processes left for this worktree and its branch; return their names.

    Only for worktrees whose last process is gone.
    """
    raise NotImplementedError


def remove(worktree: Worktree) -> None:
    """Remove the folder and what the repository knows of it. The branch stays. Collect first."""
    raise NotImplementedError


def discard(worktree: Worktree, *, head: str) -> bool:
    """Delete the branch if it still is at this commit; tell whether it is gone."""
    raise NotImplementedError
