"""The tasks below others, and those that must finish first."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q

from tasks.choices import FINISHED
from tasks.graph.algorithms import reachable
from tasks.models import Dependency, Task, TaskQuerySet

_CHUNK = 500


def descendants_of(pks: Iterable[int]) -> set[int]:
    start = set(pks)
    return reachable(start, _children) - start


def unfinished_in(task: Task) -> TaskQuerySet:
    """Return what is unfinished of a task and all below it."""
    below = Q(root=task) if task.parent_id is None else Q(pk__in=descendants_of([task.pk]))
    return Task.objects.on_board().exclude(status__in=FINISHED).filter(below | Q(pk=task.pk))


def lost_by_cancelling(task: Task) -> tuple[int, int]:
    """Return how many unfinished tasks are below a task, and how many elsewhere wait for it or for them."""
    subtree = {task.pk, *descendants_of([task.pk])}
    unfinished = Task.objects.on_board().exclude(status__in=FINISHED)
    waiting = unfinished.filter(dependencies__depends_on__in=subtree).exclude(pk__in=subtree).distinct()
    return unfinished.filter(pk__in=subtree - {task.pk}).count(), waiting.count()


def waits_for(pks: Iterable[int]) -> set[int]:
    """Return everything that must finish before these tasks: dependencies, their subtasks, and so on."""
    return reachable(pks, _must_finish_before)


def _children(pks: list[int]) -> list[int]:
    found: list[int] = []
    for start in range(0, len(pks), _CHUNK):
        found += Task.objects.filter(parent_id__in=pks[start : start + _CHUNK]).values_list("pk", flat=True)
    return found


def _must_finish_before(pks: list[int]) -> list[int]:
    found = _children(pks)
    for start in range(0, len(pks), _CHUNK):
        rows = Dependency.objects.filter(task_id__in=pks[start : start + _CHUNK])
        found += rows.values_list("depends_on_id", flat=True)
    return found
