"""Which tasks are ready: stored with each task, so that "the best ready one" is one look into an index on any board.

A task is ready while it is a pending or sent back leaf on the board whose dependencies are all completed. The mark is
written in the transaction of whatever changes that, with the task's row locked: a move, a dependency, a plan. So
whoever holds the row sees a mark that is true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef

from orchestrator_site.kernel.compiled import Compiled, CompiledUpdate
from tasks.choices import CLAIMABLE
from tasks.models import Dependency, Task, TaskQuerySet

_CHUNK = 500


class _Refresh:
    """Marks which of some tasks are ready."""

    def __init__(self, build: Callable[..., TaskQuerySet]) -> None:
        @wraps(build)
        def claimable(**values: Any) -> TaskQuerySet:
            return build(**values).on_board().leaves().filter(status__in=CLAIMABLE)

        @wraps(build)
        def locked(**values: Any) -> Any:
            return claimable(**values).select_for_update(of=("self",)).order_by("pk").values_list("pk")

        self._lock = Compiled(locked)
        self._mark = CompiledUpdate(claimable, is_ready=~Exists(Dependency.objects.open().filter(task=OuterRef("pk"))))

    def __call__(self, **values: Any) -> None:
        if connection.features.has_select_for_update:
            # Two dependencies of one task may complete at once. Whoever comes second waits, and so sees the first.
            self._lock(**values)
        self._mark({}, **values)


# Call them in the transaction of the change.
refresh_dependents = _Refresh(
    lambda task: Task.objects.filter(pk__in=Dependency.objects.filter(depends_on=task).values("task_id"))
)
refresh_plan = _Refresh(lambda root, first: Task.objects.filter(root=root, position__gte=first))
_refresh_keys = _Refresh(lambda keys: Task.objects.filter(pk__in=keys))


def refresh_by_keys(keys: Iterable[int]) -> None:
    """Mark which of the tasks with these primary keys are ready."""
    wanted = sorted(keys)
    for start in range(0, len(wanted), _CHUNK):
        _refresh_keys(keys=wanted[start : start + _CHUNK])
