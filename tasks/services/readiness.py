"""Which tasks are ready: stored with each task, so that an index finds the best ready one on any board.

A task is ready while it is a pending or needs_revision leaf on the board with no open dependency. The flag is updated
in the transaction of whatever changes that, with the task's row locked, so it is true for whoever holds the row.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection
from django.db.models import Exists, OuterRef

from tasks.choices import CLAIMABLE
from tasks.models import Dependency, Task, TaskQuerySet

_CHUNK = 500


def refresh(tasks: TaskQuerySet) -> None:
    """Update which of these tasks are ready. Call it in the transaction of the change."""
    waiting = tasks.on_board().leaves().filter(status__in=CLAIMABLE)
    if connection.features.has_select_for_update:
        # Two dependencies of one task may complete at the same time; the second waits here, and so sees the first.
        locked = waiting.select_for_update(of=("self",)).order_by("pk")
        waiting = Task.objects.filter(pk__in=list(locked.values_list("pk", flat=True)))
    waiting.update(is_ready=~Exists(Dependency.objects.open().filter(task=OuterRef("pk"))))


def refresh_dependents(task: Task) -> None:
    """Update the dependents of a task that was just completed, or no longer is."""
    refresh_by_keys(set(Dependency.objects.filter(depends_on=task).values_list("task_id", flat=True)))


def refresh_by_keys(keys: Iterable[int]) -> None:
    """Update the tasks with these primary keys."""
    ordered = sorted(keys)
    for start in range(0, len(ordered), _CHUNK):
        refresh(Task.objects.filter(pk__in=ordered[start : start + _CHUNK]))
