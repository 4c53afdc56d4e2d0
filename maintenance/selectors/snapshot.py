"""The tree and the dependencies of a project in memory, for checks that follow both.

A project is read by two statements at any size. Of a narrow scope only its plans are read, and those that parents and
dependencies lead to from there: no circle through the scope leaves these.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet

from maintenance.selectors.scope import Scope, few_of
from tasks.models import Dependency, Task, TaskQuerySet

_MOST, _STEPS = 10_000, 10
"""Tasks around a scope, and steps from plan to plan, beyond which the whole project is read at once."""


class Row(NamedTuple):
    pk: int
    parent: int | None
    root: int | None
    depth: int
    is_leaf: bool
    status: str
    specialist: str
    chain: int
    unblocks: int
    is_on_board: bool


class Edge(NamedTuple):
    task: int
    need: int
    origin: int | None


@dataclass(frozen=True)
class Snapshot:
    """`places` is where each task belongs by its parents: its root, or None, and its depth; not for those in loops."""

    rows: dict[int, Row]
    edges: list[Edge]
    places: dict[int, tuple[int | None, int]] = field(default_factory=dict)
    loops: list[tuple[int, ...]] = field(default_factory=list)

    @cached_property
    def children(self) -> dict[int, list[int]]:
        children: dict[int, list[int]] = defaultdict(list)
        for pk, row in self.rows.items():
            if row.parent is not None:
                children[row.parent].append(pk)
        return dict(children)

    def below(self, pk: int) -> set[int]:
        found, frontier = {pk}, [pk]
        while frontier:
            frontier = [child for each in frontier for child in self.children.get(each, ()) if child not in found]
            found.update(frontier)
        return found - {pk}


_ON_BOARD = ExpressionWrapper(Q(archived_at__isnull=True), output_field=BooleanField())


def snapshot_of(scope: Scope) -> Snapshot:
    found = None if scope.is_everything else _around(scope)
    if found is None:
        edges = Dependency.objects.filter(task__project=scope.project)
        found = Snapshot(_rows(Task.objects.filter(project=scope.project)), _edges(edges))
    for pk in found.rows:
        if pk not in found.places:
            _follow_up(pk, found)
    return found


def _around(scope: Scope) -> Snapshot | None:
    """Read the plans of a scope and those that they lead to, step by step; None where these are many."""
    found, seen = Snapshot({}, []), set[int]()
    plans = _plans_of(scope.tasks())
    for _ in range(_STEPS):
        rows = _rows(replace(scope, plans=frozenset(plans), keys=None).tasks())
        found.rows.update(rows)
        if len(found.rows) > _MOST:
            return None
        edges = _edges(Dependency.objects.filter(task__in=list(rows)))
        found.edges.extend(edges)
        named = {edge.need for edge in edges} | {row.parent for row in rows.values()}
        linked = Q(pk__in=named - found.rows.keys() - {None}) | Q(parent__in=list(rows))
        seen |= plans
        plans = _plans_of(few_of(scope.project).filter(linked)) - seen
        if not plans:
            return found
    return None


def _plans_of(tasks: TaskQuerySet) -> set[int]:
    return {root or pk for pk, root in tasks.order_by().values_list("pk", "root_id")}


def _rows(tasks: TaskQuerySet) -> dict[int, Row]:
    columns = ("pk", "parent_id", "root_id", "depth", "is_leaf", "status", "specialist", "chain", "unblocks")
    return {row.pk: row for row in map(Row._make, tasks.order_by().values_list(*columns, _ON_BOARD))}


def _edges(edges: QuerySet[Dependency]) -> list[Edge]:
    rows = edges.order_by().values_list("task_id", "depends_on_id", "inherited_from_id")
    return list(map(Edge._make, rows))


def _follow_up(pk: int, found: Snapshot) -> None:
    """Go up to the first task whose place is known, and note those of the tasks passed; a loop has none."""
    passed: dict[int, None] = {}
    at: int | None = pk
    while at is not None and at in found.rows and at not in found.places and at not in passed:
        passed[at] = None
        at = found.rows[at].parent
    if at in passed:
        chain = list(passed)
        loop = tuple(sorted(chain[chain.index(at) :]))
        if loop not in found.loops:
            found.loops.append(loop)
        return
    for each in reversed(passed):
        parent = found.rows[each].parent
        if parent is None:
            found.places[each] = None, 0
        elif parent in found.places:
            root, depth = found.places[parent]
            found.places[each] = root or parent, depth + 1
