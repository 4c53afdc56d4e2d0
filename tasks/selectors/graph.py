"""What a dependency graph shows: the leaves of a plan, or what is near one task; a few queries, whatever the size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tasks.choices import FINISHED, Complexity
from tasks.graph.svg import Graph, Vertex
from tasks.models import Dependency, Task, TaskQuerySet
from tasks.selectors import counts

NODES = 1_000
"""More are not drawn on one page."""
GROUPS = 5_000
"""Groups that are read, and tasks elsewhere that are looked up."""
LINES = 10_000
"""Dependencies that are read for one drawing."""
NEARBY = 150
"""As many are looked at on each side of each step from a task."""
DEPTHS = (1, 2, 3)
WEIGHTS = {Complexity.SIMPLE: 1, Complexity.MODERATE: 2, Complexity.COMPLEX: 3, Complexity.VERY_COMPLEX: 5}
_FIELDS = ("public_id", "title", "status", "specialist", "complexity", "is_leaf", "parent_id", "root_id", "position")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A graph, and what it leaves out: finished work of a plan that is too large, or all beyond `NODES`."""

    graph: Graph
    shown: int
    """Tasks that are drawn, without groups and what stands outside."""
    total: int
    unfinished: int = 0
    only_unfinished: bool = False
    is_cut: bool = False
    """Whether not even all that is asked for is drawn."""
    lines_are_cut: bool = False
    """Whether there are more dependencies than could be read."""
    outside_is_cut: bool = False
    """Whether more tasks from elsewhere are waited for than are drawn."""


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


def leaves_below(top: Task) -> TaskQuerySet:
    """The leaves below a plan or group; a leaf stands for itself."""
    if top.is_leaf:
        return Task.objects.filter(pk=top.pk)
    return _leaves_of(top, [] if top.is_plan else groups_below(top))


def _leaves_of(top: Task, groups: list[Task]) -> TaskQuerySet:
    leaves = Task.objects.within(top).on_board().leaves()
    return leaves if top.is_plan else leaves.filter(parent_id__in=[top.pk, *(group.pk for group in groups)])


def groups_below(top: Task) -> list[Task]:
    """The groups below a task, from the outermost to the innermost."""
    rows = Task.objects.within(top).on_board().filter(is_leaf__in=[False]).exclude(pk=top.pk)
    below = {top.pk}
    found = []
    for group in rows.only(*_FIELDS, "depth").order_by("depth", "position", "id")[:GROUPS]:
        if group.parent_id in below:
            below.add(group.pk)
            found.append(group)
    return found


Waits = dict[int, list[int]]
"""What each task waits for itself, by their keys."""


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
    """Read what tasks wait for themselves, the top also what it inherits from above; and say whether there is more."""
    own = Dependency.objects.filter(task__in=tasks, inherited_from__isnull=True)
    rows = (own | Dependency.objects.filter(task=top)).order_by("id").values_list("task_id", "depends_on_id")
    pairs = list(rows[: LINES + 1])
    found: Waits = {}
    for pk, need in pairs[:LINES]:
        found.setdefault(pk, []).append(need)
    return found, len(pairs) > LINES


def _held(waits: Waits) -> set[int]:
    return {need for waited_for in waits.values() for need in waited_for}


def _others(waits: Waits, here: set[int], only_unfinished: bool) -> tuple[list[Task], bool]:
    """What is waited for and stands elsewhere; and whether there is more of it."""
    keys = sorted(_held(waits) - here)
    rows = Task.objects.filter(pk__in=keys[:GROUPS]).on_board()
    if only_unfinished:
        rows = rows.exclude(status__in=FINISHED)
    found = list(rows.only(*_FIELDS).order_by("id")[: NEARBY + 1])
    return found[:NEARBY], len(found) > NEARBY or len(keys) > GROUPS


def _members(top: Task, leaves: list[Task], groups: list[Task]) -> dict[int, list[int]]:
    """The groups and the drawn leaves below the top and below each group."""
    parent_of = {task.pk: task.parent_id for task in [*groups, *leaves] if task.pk != top.pk}
    inside: dict[int, list[int]] = {pk: [] for pk in [top.pk, *(group.pk for group in groups)]}
    for pk, parent in parent_of.items():
        while parent in inside:
            inside[parent].append(pk)
            parent = parent_of.get(parent)
    return inside


def _wait(needs: Waits, waits: Waits, inside: dict[int, list[int]], over: set[int]) -> None:
    """Let each leaf wait for what it waits for, and the first leaves of a group for what the group waits for."""
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
    """The members of a group that wait for no other one of it: with them, the group begins.

    What is unfinished waits for no finished one, so that no way through unfinished work leads through finished work.
    """
    own = set(members)
    unfinished = own - over
    return [pk for pk in members if (own if pk in over else unfinished).isdisjoint(waits.get(pk, ()))]


def _exits(members: list[int], needs: Waits, over: set[int]) -> list[int]:
    """The members of a group that no other one of it waits for, or no unfinished one: with them, it is finished."""
    drawn = [pk for pk in members if pk in needs]
    held = {need for pk in drawn for need in needs[pk]}
    held_back = {need for pk in drawn if pk not in over for need in needs[pk]}
    return [pk for pk in drawn if pk not in (held if pk in over else held_back)]


def near(task: Task, depth: int) -> Drawn:
    """Return what a task waits for and what waits for it, at most `depth` steps away."""
    found: dict[int, Task] = {task.pk: task}
    pairs = [*_steps(found, task, depth, _to_the_left), *_steps(found, task, depth, _to_the_right)]
    needs: Waits = {pk: [] for pk in found}
    for pk, need in dict.fromkeys([*pairs, *_between(found)]):
        if pk in found and need in found:
            needs[pk].append(need)
    vertices = {pk: _vertex(each, is_outside=each.plan_id != task.plan_id) for pk, each in found.items()}
    beyond = {pk for pair in pairs for pk in pair} - found.keys()
    return Drawn(
        Graph(vertices, needs), len(found), len(found) + len(beyond), is_cut=len(found) > NEARBY and bool(beyond)
    )


Pair = tuple[int, int]
"""A task, and what it waits for."""


def _steps(found: dict[int, Task], task: Task, depth: int, step: Callable[[list[Task]], list[Pair]]) -> list[Pair]:
    """Walk away from a task, adding to `found` whom one meets; returns the ways."""
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
    """What waits for tasks themselves, and the groups of these tasks where something waits for such a group."""
    rows = Dependency.objects.filter(depends_on__in=tasks, inherited_from__isnull=True).order_by("id")
    parent_of = dict(_parents(tasks))
    held = set(
        Dependency.objects.filter(depends_on__in=parent_of.values())
        .order_by()
        .values_list("depends_on_id", flat=True)
        .distinct()
    )
    through = [(_nearest(task.pk, parent_of, held), task.pk) for task in tasks]
    return [
        *rows.values_list("task_id", "depends_on_id")[: NEARBY * NEARBY],
        *((group, pk) for group, pk in through if group is not None),
    ]


def _parents(tasks: list[Task]) -> list[tuple[int, int]]:
    """Which parent tasks and the groups of their plans have."""
    groups = Task.objects.on_board().filter(root_id__in={task.plan_id for task in tasks}, is_leaf__in=[False])
    own = [(task.pk, task.parent_id) for task in tasks if task.parent_id]
    return [*groups.order_by().values_list("pk", "parent_id")[:GROUPS], *own]


def _nearest(pk: int, parent_of: dict[int, int], held: set[int]) -> int | None:
    """The innermost group around a task that something waits for."""
    group = parent_of.get(pk)
    while group is not None and group not in held:
        group = parent_of.get(group)
    return group


def _between(found: dict[int, Task]) -> list[Pair]:
    """What the tasks of a drawing wait for among each other, whether one came that way or not."""
    rows = Dependency.objects.filter(task__in=found, depends_on__in=found).order_by("id")
    return list(rows.values_list("task_id", "depends_on_id")[:LINES])


def _vertex(task: Task, *, part: str = "", is_outside: bool = False) -> Vertex:
    weight = WEIGHTS.get(Complexity(task.complexity), 1) if task.is_leaf else 0
    return Vertex(task.public_id, task.title, task.status, task.specialist, weight, not task.is_leaf, is_outside, part)
