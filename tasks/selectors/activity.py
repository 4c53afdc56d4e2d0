"""What goes on below a plan right now: who works on what, and what waits for a person."""

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
    """The first rows of each kind, how many there are, and the holders with the number of tasks that each holds.

    `workers` are those with the most tasks, `workers_total` is how many there are.
    """

    active: list[Task]
    active_total: int
    waits: list[Task]
    waits_total: int
    workers: list[tuple[str, int]]
    workers_total: int


def now(top: Task, shown: Tree, counts: Counts) -> Now:
    """Return what goes on below a task: from its tree where that is whole, else from the plan's index of states.

    That is read without an order, which would make the database walk the whole plan by its positions.
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
