"""Collect what a run left in its worktree, as a commit on its branch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tasks.agents.worktrees.records import Collected, Worktree


def collect(
    worktree: Worktree,
    *,
    message: str,
    limit_bytes: int,
    leave_out: Sequence[str] = (),
    jailed: bool = False,
    moved: Mapping[str, str] | None = None,
) -> Collected:
    """Commit what differs from the branch, without running anything of the run's. Safe to repeat.

    `leave_out` are the patterns of `copy_ignored`: what was copied in is not collected, whatever `.gitignore` says now.
    `jailed` says that the run could not write to the repository, so branches that moved were moved by others. `moved`
    are branches that the caller moved in the meantime, each with its commit. Raises TooLarge before anything that
    exceeds the limit is stored, naming the largest paths.
    """
    raise NotImplementedError
