"""Which tasks are ready: stored with each task, so that "the best ready one" is one look into an index on any board.

A task is ready while it is a pending or sent back leaf on the board whose dependencies are all completed. The mark is
written in the transaction of whatever changes that, with the task's row locked: a move, a dependency, a plan. So
whoever holds the row sees a mark that is true.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef

from orchestrator_site.kernel.compiled import Compiled, CompiledUpdate
from tasks.choices import CLAIMABLE
from tasks.models import Dependency, Task, TaskQuerySet

_CHUNK = 500
_READY = ~Exists(Dependency.objects.open().filter(task=OuterRef("pk")))
_refresh_dependents = CompiledUpdate(lambda task: _dependents(task), is_ready=_READY)
_lock_dependents = Compiled(
    lambda task: _dependents(task).select_for_update(of=("self",)).order_by("pk").values_list("pk")
)


def refresh(tasks: TaskQuerySet) -> None:
    """Mark anew which of these tasks are ready. Call it in the transaction of the change."""
    waiting = _claimable(tasks)
    if connection.features.has_select_for_update:
        # Two dependencies of one task may complete at once. Whoever comes second waits here, and so sees the first.
        locked = waiting.select_for_update(of=("self",)).order_by("pk")
        waiting = Task.objects.filter(pk__in=list(locked.values_list("pk", flat=True)))
    waiting.update(is_ready=_READY)


def refresh_dependents(task: Task) -> None:
    """Mark anew what waits for a task that has just become completed, or is no longer."""
    if connection.features.has_select_for_update:
        _lock_dependents(task=task)
    _refresh_dependents({}, task=task)


def _dependents(task: Any) -> TaskQuerySet:
    return _claimable(Task.objects.filter(pk__in=Dependency.objects.filter(depends_on=task).values("task_id")))


def _claimable(tasks: TaskQuerySet) -> TaskQuerySet:
    return tasks.on_board().leaves().filter(status__in=CLAIMABLE)


def refresh_by_keys(keys: Iterable[int]) -> None:
    """Mark anew the tasks with these primary keys."""
    wanted = sorted(keys)
    for start in range(0, len(wanted), _CHUNK):
        refresh(Task.objects.filter(pk__in=wanted[start : start + _CHUNK]))
