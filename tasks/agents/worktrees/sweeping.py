"""How much all worktrees take, and which of them could go."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from tasks.agents.worktrees.records import Size


def sizes(root: Path) -> list[Size]:
    """Measure each folder directly below the root, largest first."""
    raise NotImplementedError


def sweepable(
    found: Sequence[Size], *, now: float, max_age_seconds: float, quota_bytes: int, keep: Collection[str]
) -> list[Size]:
    """Choose, oldest first, what is too old, and then what exceeds the quota; never what is to be kept.

    This is the preview; the caller collects and removes each.
    """
    raise NotImplementedError
