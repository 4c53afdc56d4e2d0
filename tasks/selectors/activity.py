"""What is in progress below a plan, and what waits for a person."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tasks.choices import Status
from tasks.models import Task
from tasks.selectors.board import WAITS_FOR_A_PERSON, Tree
from tasks.selectors.rows import ROW_FIELDS, Counts

ROWS = 8
_LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class Now:
    """The first rows of each kind and their totals; `workers` are those that hold the most tasks."""

    active: list[Task]
    active_total: int
    waits: list[Task]
    waits_total: int
    workers: list[tuple[str, int]]
    workers_total: int


def now(top: Task, shown: Tree, counts: Counts) -> Now:
    """Return the activity below a task: from its tree if that is complete, else from the index of the plan's statuses.

    That query has no order: with one, the database would walk the whole plan by position.
    """
    if shown.is_cut and top.is_plan:
        leaves = Task.objects.within(top).on_board().leaves().only(*ROW_FIELDS)
        found = list(leaves.filter(status__in=[Status.ACTIVE, *WAITS_FOR_A_PERSON]).order_by()[:_LOOKED_AT])
    else:
        found = [node.task for node in shown.nodes if node.task.is_leaf]
    found.sort(key=lambda task: task.position)
    active = [task for task in found if task.status == Status.ACTIVE]
    waits = [task for task in found if task.status in WAITS_FOR_A_PERSON]
    holders = Counter(task.lease_holder for task in active if task.lease_holder)
    waits_total = sum(counts.by_status.get(status, 0) for status in WAITS_FOR_A_PERSON)
    active_total = counts.by_status.get(Status.ACTIVE, 0)
    return Now(active[:ROWS], active_total, waits[:ROWS], waits_total, holders.most_common(ROWS), len(holders))
