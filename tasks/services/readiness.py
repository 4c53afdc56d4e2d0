"""Which tasks are ready: stored with each task, so that an index finds the best ready one on any board.

A task is ready while it is a pending or needs_revision leaf on the board with no open dependency, and every resource
that it needs has a place free, and it is not deferred. The flag is updated in the transaction of whatever changes that,
with the task's row locked, so it is true for whoever holds the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from orchestrator_site.kernel.compiled import Compiled, CompiledUpdate
from tasks.choices import CLAIMABLE
from tasks.models import Dependency, ResourceNeed, Task, TaskQuerySet
from tasks.selectors.resources import WAITS_FOR_ONE

_CHUNK = 500


class _Refresh:
    def __init__(self, build: Callable[..., TaskQuerySet]) -> None:
        @wraps(build)
        def claimable(**values: Any) -> TaskQuerySet:
            return build(**values).on_board().leaves().filter(status__in=CLAIMABLE)

        @wraps(build)
        def locked(**values: Any) -> Any:
            return claimable(**values).select_for_update(of=("self",)).order_by("pk").values_list("pk")

        self._lock = Compiled(locked)
        open_ones = Dependency.objects.open().filter(task=OuterRef("pk"))
        self._mark = CompiledUpdate(
            claimable, is_ready=Q(not_before__isnull=True) & ~Exists(open_ones) & ~WAITS_FOR_ONE
        )

    def __call__(self, **values: Any) -> int:
        """Mark the tasks, and return how many there are that could be ready."""
        if connection.features.has_select_for_update:
            # Two dependencies of one task may complete at once. The second waits here, and so sees the first.
            self._lock(**values)
        return self._mark({}, **values)


def _needing(resource: Any) -> TaskQuerySet:
    return Task.objects.filter(pk__in=ResourceNeed.objects.filter(resource=resource).values("task_id"))


# Call them in the transaction of the change.
refresh_dependents = _Refresh(
    lambda task: Task.objects.filter(pk__in=Dependency.objects.filter(depends_on=task).values("task_id"))
)
refresh_plan = _Refresh(lambda root, first: Task.objects.filter(root=root, position__gte=first))
refresh_full = _Refresh(lambda resource: _needing(resource).filter(is_ready=True))
refresh_freed = _Refresh(lambda resource: _needing(resource).filter(is_ready=False))
_refresh_keys = _Refresh(lambda keys: Task.objects.filter(pk__in=keys))


def refresh_by_keys(keys: Iterable[int]) -> None:
    ordered = sorted(keys)
    for start in range(0, len(ordered), _CHUNK):
        _refresh_keys(keys=ordered[start : start + _CHUNK])
