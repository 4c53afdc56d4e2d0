"""Show, forecast and merge what runs have left, without any checkout."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.agents.worktrees.records import Forecast, Merged, Mode


def difference(repository: str, *, base: str, head: str, limit_bytes: int = 512 * 1024) -> str:
    """Return the unified diff of two commits for a page; one that is cut ends with a line that says so."""
    raise NotImplementedError


def behind(repository: str, *, base: str, target: str) -> int:
    """Return how many commits the target branch has that a base lacks."""
    raise NotImplementedError


def forecast(repository: str, *, target: str, heads: Mapping[str, str], seconds: float = 60) -> Forecast:
    """Say which of the commits (by name, such as a run's id) conflict with each other or the target branch.

    It writes nothing to the repository. Raises Transient if the time is up.
    """
    raise NotImplementedError


def merge(
    repository: str,
    *,
    head: str,
    base: str,
    target: str,
    mode: Mode,
    message: str,
    dry_run: bool,
    expected: str | None = None,
    create: bool = False,
) -> Merged:
    """Merge a collected commit into a branch, and move the branch only if it has not moved.

    `expected` is the target's commit that a person saw. `create` makes a target that is not there, at the base.
    Raises NotFound for a target that is not there, Stale for one that has moved, and Conflict for one that is checked
    out anywhere: moving it would make that checkout look as if the user had taken the change back.
    """
    raise NotImplementedError
