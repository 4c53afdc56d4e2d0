"""Planned paths: which of a task's are those of another, and which tasks that are held now plan to change the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import islice
from posixpath import normpath
from typing import Any

from django.utils import timezone

from orchestrator_site.kernel.compiled import Compiled
from tasks.choices import Status
from tasks.models import Session, Task

_LOOKED_AT = 200
_NAMED = 5
_SHOWN = 3
_SIGN = re.compile(r"[*?[]")
_held = Compiled(
    lambda project, now: (
        Task.objects.on_board()
        .filter(project=project, status=Status.ACTIVE, lease_expires_at__gt=now)
        .order_by("-updated_at")
        .only("public_id", "paths", "lease_holder", "lease_session_id")[:_LOOKED_AT]
    )
)


@dataclass(frozen=True, slots=True)
class Overlap:
    """A task that is held now, by whom, and the first of the given paths that it plans to change too."""

    task_id: str
    holder: str
    paths: list[str]


def overlaps_of(task: Task, session: Session | None = None) -> list[Overlap]:
    """Return the newest tasks that others than the session, or than the task's own, hold.

    Without paths there is no statement.
    """
    return overlaps_of_all([task], session)[task.pk]


def overlaps_of_all(tasks: Sequence[Task], session: Session | None = None) -> dict[int, list[Overlap]]:
    projects = {task.project_id for task in tasks if task.paths}
    held = [each for project in projects for each in _held(project=project, now=timezone.now())]
    own = session.pk if session else None
    found = {task.pk: _overlaps(task, held, own or task.lease_session_id) for task in tasks}
    return {pk: list(islice(each, _SHOWN)) for pk, each in found.items()}


def _overlaps(task: Task, held: Iterable[Task], own: int | None) -> Iterable[Overlap]:
    for other in held if task.paths else ():
        is_others = other.pk != task.pk and (own is None or other.lease_session_id != own)
        if is_others and (paths := shared(task.paths, other.paths)):
            yield Overlap(other.public_id, other.lease_holder, paths)


def shared(paths: Sequence[Any], others: Sequence[Any]) -> list[str]:
    """Return the first of the paths that others name too: as file, folder or pattern, as gates take them."""
    one, other = _places(tuple(paths)), _places(tuple(others))
    if not one.may_meet(other):
        return []
    return list(islice((path for path in paths if other.has(normpath(path))), _NAMED))


@dataclass(frozen=True, slots=True)
class _Places:
    """Paths, they and all folders above them, and those that are patterns, by the folder in which they look."""

    names: set[str]
    above: set[str]
    patterns: dict[str, list[str]]

    def may_meet(self, other: _Places) -> bool:
        """Whether a path is within another, or a pattern looks where others are: most tasks have nothing in common."""
        mine, theirs = self.names | self.patterns.keys(), other.names | other.patterns.keys()
        return not (mine.isdisjoint(other.above) and theirs.isdisjoint(self.above))

    def has(self, path: str) -> bool:
        line = _line(path)
        if path in self.above or not self.names.isdisjoint(line):
            return True
        if any(fnmatchcase(path, pattern) for each in line for pattern in self.patterns.get(each, ())):
            return True
        return _looks_in(path) in self.above and any(fnmatchcase(name, path) for name in self.names)


@lru_cache(maxsize=1_000)
def _places(paths: tuple[str, ...]) -> _Places:
    names = {normpath(path) for path in paths}
    patterns: dict[str, list[str]] = {}
    for name in names:
        if folder := _looks_in(name):
            patterns.setdefault(folder, []).append(name)
    return _Places(names, {each for name in names for each in _line(name)}, patterns)


def _line(path: str) -> list[str]:
    """Return a path and the folders it is in."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(len(parts), 0, -1)] + ["."]


def _looks_in(path: str) -> str:
    """Return the folder in which whatever fits a pattern is; nothing for a plain path."""
    before, *is_pattern = _SIGN.split(path, maxsplit=1)
    return before.rpartition("/")[0] or "." if is_pattern else ""
