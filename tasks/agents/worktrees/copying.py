"""Copy what Git ignores, and an agent needs, into a worktree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tasks.agents.worktrees.records import Copied, Worktree


def copy_ignored(worktree: Worktree, patterns: Sequence[str], *, source: Path, limit_bytes: int) -> Copied:
    """Copy untracked files that match patterns as in `.gitignore` from the top of the user's checkout.

    No link is followed, nothing leaves either tree, nothing that is there is replaced.
    """
    raise NotImplementedError
