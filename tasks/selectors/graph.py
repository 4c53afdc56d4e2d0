"""The data of a dependency graph: the leaves of a plan, or the surroundings of one task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import F
from django.db.models.lookups import IsNull

from tasks.choices import FINISHED, Complexity
from tasks.graph.svg import Graph, Vertex
from tasks.models import Dependency, Task, TaskQuerySet
from tasks.selectors import counts

NODES = 1_000  # tasks that one page draws at most
GROUPS = 5_000  # groups to read, and tasks outside the graph to look up
LINES = 10_000  # dependencies to read for one drawing
NEARBY = 150  # tasks to read on each side of each step from a task
DEPTHS = (1, 2, 3)
WEIGHTS = {Complexity.SIMPLE: 1, Complexity.MODERATE: 2, Complexity.COMPLEX: 3, Complexity.VERY_COMPLEX: 5}
_FIELDS = ("public_id", "title", "status", "specialist", "complexity", "is_leaf", "parent_id", "root_id", "position")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A graph, and what it leaves out: finished tasks of a large plan, or everything beyond `NODES`."""

    graph: Graph
    shown: int  # drawn tasks, without groups and tasks outside the plan
    total: int
    unfinished: int = 0
    only_unfinished: bool = False
    is_cut: bool = False  # some of the requested tasks are missing
    lines_are_cut: bool = False  # some dependencies are missing
    outside_is_cut: bool = False  # some dependencies outside the plan are missing


def of_plan(top: Task, *, only_unfinished: bool = False) -> Drawn:
    """Return the leaves below a plan or group; above `NODES` only the unfinished ones, in the order of the plan."""
    groups = groups_below(top)
    leaves = _leaves_of(top, groups)
    number = counts.by_status(leaves)
    total = sum(number.values())
    unfinished = total - sum(number.get(status, 0) for status in FINISHED)
    only_unfinished = only_unfinished or total > NODES
    if only_unfinished:
        leaves = leaves.exclude(status__in=FINISHED)
    shown = list(leaves.only(*_FIELDS).order_by("position", "id")[:NODES])
    waits, lines_are_cut = _waits(top, [*shown, *groups])
    strangers, outside_is_cut = _others(waits, {task.pk for task in [*shown, *groups]}, only_unfinished)
    graph = _graph(top, shown, groups, waits, strangers)
    is_cut = len(shown) < (unfinished if only_unfinished else total)
    return Drawn(graph, len(shown), total, unfinished, only_unfinished, is_cut, lines_are_cut, outside_is_cut)


def critical_among(top: Task, tasks: list[Task]) -> list[Task]:
    """Return the longest chain of unfinished tasks among all that are below a plan or group, parents first."""
    groups = [task for task in tasks if not task.is_leaf]
    leaves = {task.pk: task for task in tasks if task.is_leaf and task.status not in FINISHED}
    waits, _ = _waits(top, [*leaves.values(), *groups])
    path = _graph(top, list(leaves.values()), groups, waits, []).path
    return [leaves[node] for node in path if node in leaves]


def leaves_below(top: Task) -> TaskQuerySet:
    """The leaves below a plan or group; for a leaf, itself."""
    if top.is_leaf:
        return Task.objects.filter(pk=top.pk)
    return _leaves_of(top, [] if top.is_plan else groups_below(top))


def _leaves_of(top: Task, groups: list[Task]) -> TaskQuerySet:
    leaves = Task.objects.within(top).beside(top).leaves()
    return leaves if top.is_plan else leaves.filter(parent_id__in=[top.pk, *(group.pk for group in groups)])


def groups_below(top: Task) -> list[Task]:
    rows = Task.objects.within(top).beside(top).filter(is_leaf__in=[False]).exclude(pk=top.pk)
    below = {top.pk}
    found = []
    for group in rows.only(*_FIELDS, "depth").order_by("depth", "position", "id")[:GROUPS]:
        if group.parent_id in below:
            below.add(group.pk)
            found.append(group)
    return found


Waits = dict[int, list[int]]  # the dependencies of tasks, by primary key


def _graph(top: Task, leaves: list[Task], groups: list[Task], waits: Waits, strangers: list[Task]) -> Graph:
    tasks = {task.pk: task for task in [*leaves, *groups]}
    held = _held(waits)
    inside = _members(top, leaves, groups)
    needs: Waits = {leaf.pk: [] for leaf in leaves}
    needs |= {group.pk: [] for group in groups if group.pk in held and inside[group.pk]}
    needs |= {stranger.pk: [] for stranger in strangers}
    over = {pk for pk, task in tasks.items() if task.status in FINISHED}
    _wait(needs, waits, inside, over)
    for group in reversed(groups):
        if group.pk in needs:
            needs[group.pk] = _exits(inside[group.pk], needs, over)
    title_of = {group.pk: group.title for group in groups}
    vertices = {pk: _vertex(tasks[pk], part=title_of.get(tasks[pk].parent_id or 0, "")) for pk in needs if pk in tasks}
    vertices |= {stranger.pk: _vertex(stranger, is_outside=True) for stranger in strangers}
    return Graph(vertices, {pk: list(dict.fromkeys(waited_for)) for pk, waited_for in needs.items()})


def _waits(top: Task, tasks: list[Task]) -> tuple[Waits, bool]:
    """Read the own dependencies of tasks, for the top also inherited ones; and whether there are more."""
    # A sum is in no index: SQLite would read everything that is not inherited.
    own = Dependency.objects.filter(IsNull(F("inherited_from_id") + 0, True), task__in=tasks)
    rows = (own | Dependency.objects.filter(task=top)).order_by("id").values_list("task_id", "depends_on_id")
    pairs = list(rows[: LINES + 1])
    found: Waits = {}
    for pk, need in pairs[:LINES]:
        found.setdefault(pk, []).append(need)
    return found, len(pairs) > LINES


def _held(waits: Waits) -> set[int]:
    return {need for waited_for in waits.values() for need in waited_for}


def _others(waits: Waits, here: set[int], only_unfinished: bool) -> tuple[list[Task], bool]:
    keys = sorted(_held(waits) - here)
    rows = Task.objects.filter(pk__in=keys[:GROUPS]).on_board()
    if only_unfinished:
        rows = rows.exclude(status__in=FINISHED)
    found = list(rows.only(*_FIELDS).order_by("id")[: NEARBY + 1])
    return found[:NEARBY], len(found) > NEARBY or len(keys) > GROUPS


def _members(top: Task, leaves: list[Task], groups: list[Task]) -> dict[int, list[int]]:
    parent_of = {task.pk: task.parent_id for task in [*groups, *leaves] if task.pk != top.pk}
    inside: dict[int, list[int]] = {pk: [] for pk in [top.pk, *(group.pk for group in groups)]}
    for pk, parent in parent_of.items():
        while parent in inside:
            inside[parent].append(pk)
            parent = parent_of.get(parent)
    return inside


def _wait(needs: Waits, waits: Waits, inside: dict[int, list[int]], over: set[int]) -> None:
    """Add the dependencies of each leaf, and those of a group to the first leaves of the group."""
    effective = {pk: set(waited_for) for pk, waited_for in waits.items()}
    for group, members in inside.items():
        for pk in members:
            effective.setdefault(pk, set()).update(waits.get(group, ()))
    for pk, waited_for in waits.items():
        known = [need for need in waited_for if need in needs]
        for leaf in _entries(inside[pk], effective, over) if pk in inside else [pk]:
            if leaf in needs:
                needs[leaf] += known


def _entries(members: list[int], waits: dict[int, set[int]], over: set[int]) -> list[int]:
    """The members of a group that depend on no other member: the group starts with them.

    Unfinished members depend on no finished one, so that no path through unfinished tasks leads through finished ones.
    """
    own = set(members)
    unfinished = own - over
    return [pk for pk in members if (own if pk in over else unfinished).isdisjoint(waits.get(pk, ()))]


def _exits(members: list[int], needs: Waits, over: set[int]) -> list[int]:
    drawn = [pk for pk in members if pk in needs]
    held = {need for pk in drawn for need in needs[pk]}
    held_back = {need for pk in drawn if pk not in over for need in needs[pk]}
    return [pk for pk in drawn if pk not in (held if pk in over else held_back)]


def near(task: Task, depth: int) -> Drawn:
    """Return the tasks at most `depth` dependencies away from a task, in both directions."""
    found: dict[int, Task] = {task.pk: task}
    pairs = [*_steps(found, task, depth, _to_the_left), *_steps(found, task, depth, _to_the_right)]
    between = Dependency.objects.filter(task__in=found, depends_on__in=found).order_by("id")
    needs: Waits = {pk: [] for pk in found}
    for pk, need in dict.fromkeys([*pairs, *between.values_list("task_id", "depends_on_id")[:LINES]]):
        if pk in found and need in found:
            needs[pk].append(need)
    vertices = {pk: _vertex(each, is_outside=each.plan_id != task.plan_id) for pk, each in found.items()}
    beyond = {pk for pair in pairs for pk in pair} - found.keys()
    return Drawn(
        Graph(vertices, needs), len(found), len(found) + len(beyond), is_cut=len(found) > NEARBY and bool(beyond)
    )


Pair = tuple[int, int]  # a task and one of its dependencies


def _steps(found: dict[int, Task], task: Task, depth: int, step: Callable[[list[Task]], list[Pair]]) -> list[Pair]:
    """Walk away from a task, adding the tasks on the way to `found`; returns the edges."""
    pairs: list[Pair] = []
    frontier = [task]
    for _ in range(depth):
        taken = step(frontier)
        pairs += taken
        met = sorted({pk for pair in taken for pk in pair} - found.keys())
        rows = Task.objects.filter(pk__in=met[:GROUPS]).on_board().only(*_FIELDS)
        frontier = list(rows.order_by("position", "id")[:NEARBY])
        found |= {each.pk: each for each in frontier}
    return pairs


def _to_the_left(tasks: list[Task]) -> list[Pair]:
    rows = Dependency.objects.filter(task__in=tasks).order_by("id")
    return list(rows.values_list("task_id", "depends_on_id")[: NEARBY * NEARBY])


def _to_the_right(tasks: list[Task]) -> list[Pair]:
    """The dependents of tasks, and the groups around these tasks that have dependents."""
    rows = Dependency.objects.filter(depends_on__in=tasks, inherited_from__isnull=True).order_by("id")
    pairs = list(rows.values_list("task_id", "depends_on_id")[: NEARBY * NEARBY])
    groups = Task.objects.on_board().filter(root_id__in={task.plan_id for task in tasks}, is_leaf__in=[False])
    parent_of: dict[int, int | None] = dict(groups.order_by().values_list("pk", "parent_id")[:GROUPS])
    parent_of |= {task.pk: task.parent_id for task in tasks}
    around = Dependency.objects.filter(depends_on__in=[pk for pk in parent_of.values() if pk])
    held = set(around.order_by().values_list("depends_on_id", flat=True).distinct())
    for task in tasks:
        group = task.parent_id
        while group is not None and group not in held:
            group = parent_of.get(group)
        if group is not None:
            pairs.append((group, task.pk))
    return pairs


def _vertex(task: Task, *, part: str = "", is_outside: bool = False) -> Vertex:
    weight = WEIGHTS.get(Complexity(task.complexity), 1) if task.is_leaf else 0
    return Vertex(task.public_id, task.title, task.status, task.specialist, weight, not task.is_leaf, is_outside, part)
