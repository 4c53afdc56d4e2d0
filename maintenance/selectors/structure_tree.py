"""Checks of the structure that follow the tree and the dependencies of a project, in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from graphlib import CycleError
from itertools import chain

from maintenance.selectors.hits import Asked, Hit
from maintenance.selectors.snapshot import Snapshot
from tasks.choices import Status
from tasks.graph.algorithms import reachable
from tasks.graph.chains import reaches
from tasks.models import Dependency
from tasks.roles import catalogue
from tasks.state_machine import UNFINISHED

Graph = dict[int, list[int]]
_MEMBERS = 20


def parent_loops(asked: Asked) -> list[Hit]:
    return asked.in_scope(_circle(loop) for loop in asked.snapshot.loops)


def _circle(members: Iterable[int]) -> Hit:
    ordered = sorted(members)
    return Hit(ordered[0], members=tuple(ordered[:_MEMBERS]), evidence={"size": len(ordered)})


def wrong_roots(asked: Asked) -> list[Hit]:
    """Find subtasks whose root or depth is not that of their parent, or whose parent is of another project."""
    return asked.in_scope(_wrong_roots(asked.snapshot))


def _wrong_roots(tree: Snapshot) -> Iterator[Hit]:
    for pk, row in tree.rows.items():
        if row.parent is not None and row.parent not in tree.rows:
            yield Hit(pk, evidence={"parent": "of another project"}, is_repairable=False)
        elif (place := tree.places.get(pk)) is not None and place != (row.root, row.depth):
            yield Hit(
                pk, evidence={"depth": row.depth, "expected_depth": place[1], "root_differs": place[0] != row.root}
            )


def wrong_leaf_flags(asked: Asked) -> list[Hit]:
    """Find tasks that have subtasks but count as leaves, or the reverse.

    An active group without subtasks has no lease, so it cannot become a leaf as it is.
    """
    tree = asked.snapshot
    return asked.in_scope(
        Hit(pk, evidence={"is_leaf": row.is_leaf}, is_repairable=row.is_leaf or row.status != Status.ACTIVE)
        for pk, row in tree.rows.items()
        if row.is_leaf == (pk in tree.children)
    )


def wrong_inherited_dependencies(asked: Asked) -> list[Hit]:
    """Find tasks that lack dependencies of their parents, or have some that their parents have no more."""
    expected, present = _expected(asked.snapshot), {edge for edge in asked.snapshot.edges if edge.origin is not None}
    missing = Counter(task for task, _, _ in expected - present)
    left_over = Counter(edge.task for edge in present - expected)
    return asked.in_scope(
        Hit(pk, evidence={"missing": missing[pk], "left_over": left_over[pk]}) for pk in {*missing, *left_over}
    )


def _expected(tree: Snapshot) -> set[tuple[int, int, int | None]]:
    own: dict[int, list[int]] = defaultdict(list)
    for edge in tree.edges:
        if edge.origin is None and edge.task in tree.children:
            own[edge.task].append(edge.need)
    below = {group: tree.below(group) for group in own}
    return {(task, need, group) for group, needs in own.items() for need in needs for task in below[group] - {need}}


def wrong_chains(asked: Asked) -> list[Hit]:
    """Find unfinished leaves whose chain does not follow from those that wait for them.

    Where tasks wait for each other in a circle, none can.
    """
    rows = asked.snapshot.rows
    leaves = [pk for pk, row in rows.items() if row.is_leaf and row.is_on_board and row.status in UNFINISHED]
    parents = {pk: row.parent for pk, row in rows.items()}
    waiting: dict[int, set[int]] = defaultdict(set)
    known: dict[int, int] = {}
    for need, task, length in _waiters(asked):
        waiting[need].add(task)
        known[task] = length
    try:
        found = reaches(leaves, parents, waiting, known)
    except CycleError:  # of parents
        return []
    wrong = [(pk, found[pk]) for pk in leaves if found[pk] != (rows[pk].chain, rows[pk].unblocks)]
    if wrong and dependency_cycles(asked):
        return []
    return asked.in_scope(Hit(pk, evidence={"chain": rows[pk].chain, "expected": reach.chain}) for pk, reach in wrong)


def _waiters(asked: Asked) -> Iterable[tuple[int, int, int]]:
    edges = Dependency.objects.of_unfinished_leaves().order_by()
    if asked.scope.is_everything:
        edges = edges.filter(depends_on__project=asked.scope.project)
    else:
        edges = edges.filter(depends_on__in=list(asked.snapshot.rows))
    return edges.values_list("depends_on_id", "task_id", "task__chain")


def dependency_cycles(asked: Asked) -> list[Hit]:
    """Find circles of tasks that wait for each other, where a group waits for its subtasks.

    A loop of parents is another fault: a circle has at least one dependency in it.
    """
    tree = asked.snapshot
    graph: Graph = defaultdict(list)
    for edge in tree.edges:
        graph[edge.task].append(edge.need)
    for parent, children in tree.children.items():
        graph[parent] += children
    if not (circles := _circles(graph)):
        return []
    within = {pk: number for number, circle in enumerate(circles) for pk in circle}
    real = {within[edge.task] for edge in tree.edges if within.get(edge.task, -1) == within.get(edge.need, -2)}
    return asked.in_scope(_circle(circles[number]) for number in real)


def _circles(graph: Graph) -> list[set[int]]:
    """Return the sets of nodes that reach each other. What is in none is put aside first, which is nearly all."""
    backward = _trimmed(_reversed(_trimmed(graph)))
    left = _reversed(backward)
    circles: list[set[int]] = []
    done: set[int] = set()
    for node in sorted(left):
        if node not in done:
            circle = _ahead(node, left) & _ahead(node, backward)
            done |= circle
            if len(circle) > 1:
                circles.append(circle)
    return circles


def _ahead(node: int, graph: Graph) -> set[int]:
    return reachable([node], lambda nodes: [to for each in nodes for to in graph.get(each, ())])


def _trimmed(graph: Graph) -> Graph:
    """Remove the nodes that nothing leads to, again and again."""
    left, leading = dict(graph), Counter(chain.from_iterable(graph.values()))
    starts = [node for node in graph if node not in leading]
    while starts:
        for node in left.pop(starts.pop(), ()):
            leading[node] -= 1
            if not leading[node]:
                starts.append(node)
    return left


def _reversed(graph: Graph) -> Graph:
    back: Graph = defaultdict(list)
    for node, needs in graph.items():
        for need in needs:
            back[need].append(node)
    return back


def foreign_dependencies(asked: Asked) -> list[Hit]:
    tree = asked.snapshot
    return asked.in_scope(
        Hit(edge.task, other=edge.need) for edge in tree.edges if edge.origin is None and edge.need not in tree.rows
    )


def unknown_specialists(asked: Asked) -> list[Hit]:
    """Find tasks that wait for a specialist without a role."""
    known = {"", *catalogue(asked.scope.project).roles}
    return asked.in_scope(
        Hit(pk, evidence={"specialist": row.specialist})
        for pk, row in asked.snapshot.rows.items()
        if row.specialist not in known and row.is_leaf and row.is_on_board and row.status in UNFINISHED
    )
