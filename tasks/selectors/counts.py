"""Exact counts of tasks by status."""

from __future__ import annotations

from collections import Counter

from django.db.models import Count

from tasks.choices import Status
from tasks.models import Task, TaskQuerySet
from tasks.selectors.descendants import descendants_of

_CHUNK = 500


def of_plan(task: Task) -> dict[str, int]:
    """Count the leaves below a task by status, wherever it is in the tree."""
    if task.is_plan:
        return by_status(Task.objects.within(task).on_board().leaves())
    below = sorted(descendants_of([task.pk]) or {task.pk})
    total: Counter[str] = Counter()
    for start in range(0, len(below), _CHUNK):
        total.update(by_status(Task.objects.filter(pk__in=below[start : start + _CHUNK]).on_board().leaves()))
    return {status: total[status] for status in Status.values if total[status]}


def by_status(tasks: TaskQuerySet) -> dict[str, int]:
    """Count tasks by status, in the order of the statuses; those without tasks are left out."""
    counts = dict(tasks.order_by().values_list("status").annotate(Count("pk")))
    return {status: counts[status] for status in Status.values if counts.get(status)}


def progress(counts: dict[str, int]) -> dict[str, int]:
    """Return completed, total and percent; cancelled tasks do not count."""
    total = sum(counts.values()) - counts.get(Status.CANCELLED, 0)
    completed = counts.get(Status.COMPLETED, 0)
    return {"completed": completed, "total": total, "percent": 100 * completed // total if total else 0}
