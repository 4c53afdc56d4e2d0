"""How much waits for each task: `chain` and `unblocks`, stored with it, so that an index orders by them.

They are about leaves on the board that are neither completed nor cancelled: only these have them and are counted.
Whoever waits for a group waits for its leaves. The columns are updated in the transaction of whatever changes that,
with the graph locked. Completions share that lock: they change nothing, since a task is completed after all that it
waits for; the exception is one whose dependency was sent back or added while it was active.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from graphlib import CycleError

from django.db import connection

from tasks.choices import FINISHED
from tasks.graph.chains import Reach, reaches
from tasks.models import Dependency, Task, TaskQuerySet
from tasks.services.plan_check import Draft

_CHUNK = 500
_STARTS = 20_000  # values in one query, below what SQLite takes
# From a leaf to what it waits for, from a group to what is below it, which has the dependencies of the group as rows.
_AFFECTED = """
WITH RECURSIVE affected(id, is_leaf) AS (
    SELECT id, is_leaf FROM tasks_task WHERE id IN ({keys})
    UNION
    SELECT t.id, t.is_leaf FROM affected a
    LEFT JOIN tasks_dependency d ON a.is_leaf AND d.task_id = a.id
    LEFT JOIN tasks_task c ON NOT a.is_leaf AND c.parent_id = a.id
    JOIN tasks_task t ON t.id = COALESCE(d.depends_on_id, c.id)
    WHERE t.archived_at IS NULL AND t.status NOT IN (%s, %s)
)
SELECT id FROM affected
"""
_STORE = """
WITH found(id, chain, unblocks) AS (VALUES {rows})
UPDATE tasks_task SET chain = found.chain, unblocks = found.unblocks FROM found WHERE tasks_task.id = found.id
"""


def counted() -> TaskQuerySet:
    return Task.objects.on_board().leaves().exclude(status__in=FINISHED)


def refresh(keys: Iterable[int]) -> None:
    """Count again for tasks, for what is below them, and for everything that these wait for."""
    rows = {row[0]: row for chunk in _chunks(affected(keys)) for row in _rows(chunk)}
    parents: dict[int, int | None] = {key: parent for key, parent, *_ in rows.values()}
    frontier = {parent for parent in parents.values() if parent is not None}
    while frontier := frontier - parents.keys():
        parents.update(row for chunk in _chunks(frontier) for row in _parents(chunk))
        frontier = {parent for key in frontier if (parent := parents[key]) is not None}
    waiting: dict[int, set[int]] = defaultdict(set)
    known: dict[int, int] = {}
    for chunk in _chunks(parents):
        for need, task, chain in _waiters(chunk):
            waiting[need].add(task)
            if task not in rows:
                known[task] = chain
    try:
        found = reaches(rows, parents, waiting, known)
    except CycleError:  # made past the services; maintenance finds it
        return
    store({key: reach for key, reach in found.items() if reach != rows[key][2:]})


def affected(keys: Iterable[int]) -> set[int]:
    """Return tasks with what is below them and everything unfinished that these wait for."""
    found: set[int] = set()
    with connection.cursor() as cursor:
        for chunk in _chunks(keys, _STARTS):
            cursor.execute(_AFFECTED.format(keys=", ".join(["%s"] * len(chunk))), [*chunk, *FINISHED])
            found.update(key for (key,) in cursor.fetchall())
    return found


def store(found: dict[int, Reach]) -> None:
    with connection.cursor() as cursor:
        for chunk in _chunks(found):
            values = [value for key in chunk for value in (key, *found[key])]
            cursor.execute(_STORE.format(rows=", ".join(["(%s, %s, %s)"] * len(chunk))), values)


def foreseen(draft: Sequence[Draft]) -> list[Reach]:
    """Return the reach of each task of a checked plan, as far as the plan itself goes; groups have none."""
    parents: dict[int, int | None] = {number: entry.parent for number, entry in enumerate(draft)}
    waiting: dict[int, list[int]] = defaultdict(list)
    needs: list[set[int]] = []
    for number, entry in enumerate(draft):
        inherited = set() if entry.parent is None else needs[entry.parent]
        needs.append(inherited.union(need for need in entry.needs if isinstance(need, int)))
        for need in needs[number] if not entry.spec.subtasks else ():
            waiting[need].append(number)
    leaves = [number for number, entry in enumerate(draft) if not entry.spec.subtasks]
    found = reaches(leaves, parents, waiting)
    return [found.get(number, Reach()) for number in range(len(draft))]


def _rows(keys: list[int]) -> Iterable[tuple[int, int | None, int, int]]:
    return counted().filter(pk__in=keys).order_by().values_list("pk", "parent_id", "chain", "unblocks")


def _parents(keys: list[int]) -> Iterable[tuple[int, int | None]]:
    return Task.objects.filter(pk__in=keys).order_by().values_list("pk", "parent_id")


def _waiters(keys: list[int]) -> Iterable[tuple[int, int, int]]:
    rows = Dependency.objects.of_unfinished_leaves().filter(depends_on__in=keys).order_by()
    return rows.values_list("depends_on_id", "task_id", "task__chain")


def _chunks(keys: Iterable[int], size: int = _CHUNK) -> Iterator[list[int]]:
    ordered = sorted(keys)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]
