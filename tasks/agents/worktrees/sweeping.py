"""How much all worktrees take, and which of them could go."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from tasks.agents.worktrees.records import Size
from tasks.agents.worktrees.trees import below, entries

_BLOCK = 512


def sizes(root: Path) -> list[Size]:
    """Measure each folder directly below the root, largest first."""
    found = [_measured(entry.path) for entry in entries(str(root)) if entry.is_dir(follow_symlinks=False)]
    return sorted(found, key=lambda size: (-size.bytes, size.folder))


def sweepable(
    found: Sequence[Size], *, now: float, max_age_seconds: float, quota_bytes: int, keep: Collection[str]
) -> list[Size]:
    """Choose, oldest first, what is too old, and then what exceeds the quota; never what is to be kept.

    This is the preview; the caller collects and removes each.
    """
    excess = sum(each.bytes for each in found) - quota_bytes
    chosen: list[Size] = []
    for each in sorted(found, key=lambda size: size.changed_at):
        if each.folder not in keep and (now - each.changed_at > max_age_seconds or excess > 0):
            chosen.append(each)
            excess -= each.bytes
    return chosen


def _measured(folder: str) -> Size:
    total, changed = 0, 0.0
    with suppress(OSError):
        changed = os.lstat(folder).st_ctime
    for entry in below(folder):
        with suppress(OSError):
            found = entry.stat(follow_symlinks=False)
            total += getattr(found, "st_blocks", -(-found.st_size // _BLOCK)) * _BLOCK
            changed = max(changed, found.st_ctime)  # unlike the time of modification, a run cannot set it
    return Size(folder, total, changed)
