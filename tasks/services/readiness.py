"""Which tasks are ready: stored with each task, so that "the best ready one" is one look into an index on any board.

A task is ready while it is a pending or sent back leaf on the board whose dependencies are all completed. The mark is
written in the transaction of whatever changes that, with the task's row locked: a move, a dependency, a plan. So
whoever holds the row sees a mark that is true.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection
from django.db.models import Exists, OuterRef

from tasks.choices import CLAIMABLE
from tasks.models import Dependency, Task, TaskQuerySet

_CHUNK = 500


def refresh(tasks: TaskQuerySet) -> None:
    """Mark anew which of these tasks are ready. Call it in the transaction of the change."""
    waiting = tasks.on_board().leaves().filter(status__in=CLAIMABLE)
    if connection.features.has_select_for_update:
        # Two dependencies of one task may complete at once. Whoever comes second waits here, and so sees the first.
        locked = waiting.select_for_update(of=("self",)).order_by("pk")
        waiting = Task.objects.filter(pk__in=list(locked.values_list("pk", flat=True)))
    waiting.update(is_ready=~Exists(Dependency.objects.open().filter(task=OuterRef("pk"))))


def refresh_dependents(task: Task) -> None:
    """Mark anew what waits for a task that has just become completed, or is no longer."""
    refresh_by_keys(set(Dependency.objects.filter(depends_on=task).values_list("task_id", flat=True)))


def refresh_by_keys(keys: Iterable[int]) -> None:
    """Mark anew the tasks with these primary keys."""
    wanted = sorted(keys)
    for start in range(0, len(wanted), _CHUNK):
        refresh(Task.objects.filter(pk__in=wanted[start : start + _CHUNK]))
