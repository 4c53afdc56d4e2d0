"""The tree and the dependencies of a project in memory, for checks that follow both; two statements at any size."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from django.db.models import BooleanField, ExpressionWrapper, Q

from tasks.models import Dependency, Project, Task


class Row(NamedTuple):
    parent: int | None
    root: int | None
    depth: int
    is_leaf: bool
    status: str
    specialist: str
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


def snapshot_of(project: Project) -> Snapshot:
    columns = ("pk", "parent_id", "root_id", "depth", "is_leaf", "status", "specialist")
    tasks = Task.objects.filter(project=project).order_by("pk").values_list(*columns, _ON_BOARD)
    edges = Dependency.objects.filter(task__project=project).order_by("pk")
    pairs = edges.values_list("task_id", "depends_on_id", "inherited_from_id")
    found = Snapshot({pk: Row(*rest) for pk, *rest in tasks}, [Edge(*each) for each in pairs])
    for pk in found.rows:
        if pk not in found.places:
            _follow_up(pk, found)
    return found


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
