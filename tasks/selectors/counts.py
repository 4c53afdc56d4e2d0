"""Counts of tasks by status: exact ones, and one of the whole site up to a limit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Count, Func, IntegerField, Q, QuerySet, Subquery

from orchestrator_site.kernel.compiled import Compiled
from tasks.choices import WAITS_FOR_A_PERSON, Status
from tasks.models import Project, Task, TaskQuerySet
from tasks.selectors.descendants import descendants_of
from tasks.selectors.rows import Counts

_CHUNK = 500
COUNTED = 99
BESIDE = "beside"
_ANY_KIND = (True, False)  # leaves and groups. Unless both are named, SQLite reads the whole index of statuses.
_of_tree = Compiled(lambda root: _counts(Task.objects.filter(pk=root), root=root))
_of_project = Compiled(lambda project: _counts(Project.objects.filter(pk=project), project=project))
_of_specialist = Compiled(
    lambda project, specialist: _counts(Project.objects.filter(pk=project), project=project, specialist=specialist)
)


def of_project(project: Project, *, specialist: str | None = None) -> dict[str, int]:
    if specialist is None:
        return _named(_of_project.first(project=project))
    return _named(_of_specialist.first(project=project, specialist=specialist))


def of_tree(root: int) -> dict[str, int]:
    return _named(_of_tree.first(root=root))


def of_plan(task: Task) -> dict[str, int]:
    if task.is_plan and task.archived_at is None:
        return of_tree(task.pk)
    if task.is_plan:
        return by_status(Task.objects.within(task).beside(task))
    below = sorted(descendants_of([task.pk]) or {task.pk})
    total: Counter[str] = Counter()
    for start in range(0, len(below), _CHUNK):
        total.update(by_status(Task.objects.beside(task).filter(pk__in=below[start : start + _CHUNK])))
    return {status: total[status] for status in Status.values if total[status]}


def by_status(tasks: TaskQuerySet) -> dict[str, int]:
    counts = dict(tasks.leaves().order_by().values_list("status").annotate(Count("pk")))
    return {status: counts[status] for status in Status.values if counts.get(status)}


def _counts(row: QuerySet[Any], **scope: Any) -> QuerySet[Any, Any]:
    """Count the leaves of a scope in each status beside a row; for SQLite half the work of grouping them."""
    leaves = Task.objects.on_board().leaves().filter(**scope).order_by()
    counted = leaves.annotate(number=Func("pk", function="COUNT", output_field=IntegerField())).values("number")
    return row.order_by().values_list(*(Subquery(counted.filter(status=status)) for status in Status.values))


def _named(numbers: Sequence[int] | None) -> dict[str, int]:
    """Name the counts of a row; there is none after the project or plan was deleted."""
    return {status: number for status, number in zip(Status.values, numbers or (), strict=False) if number}


def progress(counts: dict[str, int]) -> dict[str, int]:
    """Return completed, total and percent; cancelled tasks do not count."""
    known = Counts(counts)
    return {"completed": known.done, "total": known.total, "percent": known.percent}


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much of all projects waits for a person, each state counted up to a limit; empty for none."""

    to_review: str
    in_inbox: str
    beside: str = ""


def waiting(*others: QuerySet[Any], beside: QuerySet[Any] | None = None) -> Waiting:
    """Count tasks, and in the same query `others`: rows of a name and a number, which are in the inbox too.

    `beside` has such a row with the name `BESIDE`, which is not.
    """
    others = others if beside is None else (*others, beside)
    few = [Q(pk__in=_up_to_limit(status).values("pk")) for status in WAITS_FOR_A_PERSON]
    rows = Task.objects.filter(reduce(or_, few)).order_by().values_list("status").annotate(Count("pk"))
    found: dict[str, int] = dict(rows.union(*others, all=True) if others else rows)
    number_beside = found.pop(BESIDE, 0)
    return Waiting(_if_any(found.get(Status.IN_REVIEW, 0)), _if_any(sum(found.values())), _if_any(number_beside))


def _if_any(number: int) -> str:
    return in_words(number) if number else ""


def count_up_to_limit(status: Status, *, leaves_only: bool = False) -> int:
    return _up_to_limit(status, leaves_only=leaves_only).count()


def _up_to_limit(status: Status, *, leaves_only: bool = False) -> QuerySet[Task]:
    kinds = (True,) if leaves_only else _ANY_KIND
    tasks = Task.objects.filter(status=status, is_leaf__in=kinds).on_board()
    return tasks.filter(project__in=Project.objects.order_by().values("pk")).order_by()[: COUNTED + 1]


def in_words(number: int) -> str:
    return f"{COUNTED}+" if number > COUNTED else str(number)
