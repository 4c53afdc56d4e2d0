"""Planned paths: which of a task's are those of another, and which tasks that are held now plan to change the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from posixpath import normpath
from typing import Any

from django.utils import timezone

from orchestrator_site.kernel.compiled import Compiled
from tasks.choices import Status
from tasks.models import Session, Task

_LOOKED_AT = 200
_NAMED = 5
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
    """Return the tasks that others than the session, or than the task's own, hold; no statement without paths."""
    return overlaps_of_all([task], session)[task.pk]


def overlaps_of_all(tasks: Sequence[Task], session: Session | None = None) -> dict[int, list[Overlap]]:
    projects = {task.project_id for task in tasks if task.paths}
    held = [each for project in projects for each in _held(project=project, now=timezone.now())]
    return {task.pk: list(_overlaps(task, held, session.pk if session else task.lease_session_id)) for task in tasks}


def _overlaps(task: Task, held: Iterable[Task], own: int | None) -> Iterable[Overlap]:
    for other in held:
        is_others = other.pk != task.pk and (own is None or other.lease_session_id != own)
        if is_others and (paths := shared(task.paths, other.paths)):
            yield Overlap(other.public_id, other.lease_holder, paths[:_NAMED])


def shared(paths: Sequence[Any], others: Sequence[Any]) -> list[str]:
    """Return those of the paths that others name too: as file, folder or pattern, as gates take them."""
    return [path for path in paths if any(_meet(path, other) for other in others)]


@lru_cache(maxsize=20_000)
def _meet(one: str, other: str) -> bool:
    one, other = normpath(one), normpath(other)
    return one == other or _is_within(one, other) or _is_within(other, one)


def _is_within(path: str, place: str) -> bool:
    return place == "." or path.startswith(f"{place}/") or fnmatchcase(path, place)
