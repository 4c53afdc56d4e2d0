"""What the functions of this package return: plain data, so that it survives in rows (`dataclasses.asdict`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    NEW = "new"
    PERSISTENT = "persistent"
    """Kept for further runs; who keeps it decides when it goes."""
    CURRENT = "current"
    """The user's own checkout: nothing is made, collected or removed."""


class Mode(StrEnum):
    PATCH = "patch"
    """A patch for `git apply`; no branch moves."""
    SQUASH = "squash"
    """One commit on the target."""
    MERGE = "merge"
    """A commit with two parents."""


@dataclass(frozen=True, slots=True)
class Worktree:
    """A worktree of a run. `repository` is Git's common folder, `base_commit` what the branch began at."""

    repository: str
    folder: str
    branch: str
    base_commit: str
    fingerprint: dict[str, Any]
    """Of what in the repository could run programs or mislead people, as it was before the run."""
    kind: str = Kind.NEW
    submodules: list[str] = field(default_factory=list)
    """They are empty; a setup command may fetch them."""


@dataclass(frozen=True, slots=True)
class Copied:
    """How many files were copied. `left_out` are those that are no plain files, or exceed the limit, up to 100."""

    files: int
    bytes: int
    left_out: list[str]


@dataclass(frozen=True, slots=True)
class Changed:
    """A path that differs from the base: `added`, `modified`, `deleted`; bytes of its content now."""

    path: str
    change: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link that the run added or changed; `leaves` if it leads out of the tree."""

    path: str
    target: str
    leaves: bool


@dataclass(frozen=True, slots=True)
class Collected:
    """What a run left: `head` is the commit that holds it, None if nothing changed or the run is tampered.

    `files` are the first 1,000 of `files_total`. `gitlinks` are submodules and repositories within the tree, bare ones
    too, that the run made or moved. `left_out` is not in the commit, and lost once the worktree is removed: these
    repositories, and names that Git does not allow. `tampered` says why nothing of the run may be merged or run.
    """

    head: str | None
    files: list[Changed] = field(default_factory=list)
    files_total: int = 0
    bytes: int = 0
    symlinks: list[Link] = field(default_factory=list)
    gitlinks: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    tampered: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Clash:
    """Two that do not merge by themselves, by their names in the call, and the paths; the target is named too."""

    left: str
    right: str
    paths: list[str]


@dataclass(frozen=True, slots=True)
class Forecast:
    """Which pairs conflict. `behind` says for each name how many commits the target has that it lacks."""

    target: str
    target_commit: str
    clashes: list[Clash]
    behind: dict[str, int]


@dataclass(frozen=True, slots=True)
class Merged:
    """The outcome of a merge, or of a rehearsal: `commit` is None where paths conflict, for a patch and a dry run."""

    mode: str
    target: str
    target_before: str
    commit: str | None
    conflicts: list[str]
    files_total: int
    patch: bytes | None = None


@dataclass(frozen=True, slots=True)
class Size:
    """A folder below the root of all worktrees: bytes on disk, and when anything in it last changed (seconds, UTC)."""

    folder: str
    bytes: int
    changed_at: float
