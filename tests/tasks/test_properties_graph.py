"""Whatever waits for whatever: a plan is accepted exactly where all of it can be done, and then all of it gets done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_site.kernel.errors import Invalid, NotReady, OrchestratorError
from tasks import roles
from tasks.choices import Status
from tasks.identity.actor import Actor
from tasks.models import Dependency, Project, Task
from tasks.services.claim import claim_next
from tasks.services.complete import complete
from tasks.services.edit import Changes, edit
from tasks.services.plan import Subtask, plan
from tests.factories import make_project, make_session
from tests.properties import all_rows, line_of, one_in, open_needs, undone

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Shape:
    """A forest of tasks: for each the number of its parent (a smaller one, or None), and the needs as pairs."""

    parents: tuple[int | None, ...]
    needs: tuple[tuple[int, int], ...]

    def children(self, parent: int | None) -> list[int]:
        return [number for number, above in enumerate(self.parents) if above == parent]


@st.composite
def shapes(draw: st.DrawFn, largest: int = 9) -> Shape:
    size = draw(st.integers(1, largest))
    parents = [draw(st.none() | st.integers(0, number - 1)) if number else None for number in range(size)]
    pairs = st.tuples(st.integers(0, size - 1), st.integers(0, size - 1))
    return Shape(tuple(parents), tuple(draw(st.lists(pairs, max_size=size + 2, unique=True))))


def can_be_done(parents: Sequence[int | None], needs: Iterable[tuple[int, int]]) -> bool:
    """Tell whether everything can be done, by doing it: an oracle that shares nothing with the product.

    A leaf is done when all that it and its parents need is done; a group is done when all its children are.
    """
    needed: dict[int, set[int]] = {number: set() for number in range(len(parents))}
    for task, need in needs:
        needed[task].add(need)
    done: set[int] = set()
    while fresh := {n for n in needed if n not in done and _can_end(n, parents, needed, done)}:
        done |= fresh
    return len(done) == len(parents)


def _can_end(number: int, parents: Sequence[int | None], needed: dict[int, set[int]], done: set[int]) -> bool:
    children = {child for child, parent in enumerate(parents) if parent == number}
    line: int | None = number
    while line is not None:
        if not needed[line] <= done:
            return False
        line = parents[line]
    return children <= done


class Board:
    """A project with one assistant, and the tasks of a planned shape by their numbers."""

    def __init__(self) -> None:
        self.project: Project = make_project()
        self.actor = Actor.assistant(make_session(self.project))
        self.catalogue = roles.catalogue(self.project)
        self.tasks: list[Task] = []

    def plan(self, shape: Shape, *, by_title: Sequence[bool] = (False,), parent: Task | None = None) -> None:
        """Plan a shape; tasks are needed by key or by title in turn."""

        def name(number: int) -> str:
            return f"title {number}" if by_title[number % len(by_title)] else f"key {number}"

        def spec(number: int) -> Subtask:
            return Subtask(
                title=f"title {number}",
                description="Do it",
                specialist="tester",
                key=f"key {number}",
                dependencies=tuple(name(need) for task, need in shape.needs if task == number),
                subtasks=tuple(spec(child) for child in shape.children(number)),
            )

        self.send([spec(number) for number in shape.children(None)], parent=parent)
        by_name = {task.title: task for task in Task.objects.all()}
        self.tasks = [by_name[f"title {number}"] for number in range(len(shape.parents))]

    def send(self, subtasks: list[Subtask], **more: Any) -> list[Task]:
        return plan(
            project=self.project,
            actor=self.actor,
            catalogue=self.catalogue,
            description="Build it",
            subtasks=subtasks,
            **more,
        ).tasks

    def edit(self, task: Task, **changes: list[Task]) -> None:
        edit(task=task, actor=self.actor, changes=Changes(**changes), catalogue=self.catalogue)

    def work_off(self) -> None:
        """Do everything to the end, nothing before its time."""
        for _ in range(Task.objects.leaves().count()):
            claimed = claim_next(project=self.project, actor=self.actor).task
            assert open_needs(claimed) == set()
            complete(task=claimed, actor=self.actor, summary="Done")
        assert set(Task.objects.values_list("status", flat=True)) == {Status.COMPLETED}
        with pytest.raises(NotReady):
            claim_next(project=self.project, actor=self.actor)


def is_accepted(act: Any) -> bool:
    """Act, and tell whether it was accepted; what is refused has changed nothing."""
    before = all_rows()
    try:
        act()
    except OrchestratorError as rejection:
        assert isinstance(rejection, Invalid)
        assert all_rows() == before
        return False
    return True


@given(shapes(), st.lists(st.booleans(), min_size=1, max_size=4))
def test_a_plan_is_accepted_exactly_where_all_of_it_can_be_done(shape: Shape, by_title: list[bool]) -> None:
    with undone():
        board = Board()
        accepted = is_accepted(lambda: board.plan(shape, by_title=by_title))
        assert accepted == can_be_done(shape.parents, shape.needs)
        if accepted:
            board.work_off()


def inherited(shape: Shape) -> set[tuple[int, int, int]]:
    """What each task inherits: itself, what it waits for, and from which parent that comes."""
    found: set[tuple[int, int, int]] = set()
    for number in range(len(shape.parents)):
        above = shape.parents[number]
        while above is not None:
            found |= {(number, need, above) for task, need in shape.needs if task == above}
            above = shape.parents[above]
    return found


@given(shapes().filter(lambda shape: can_be_done(shape.parents, shape.needs)))
def test_subtasks_inherit_what_every_parent_of_theirs_waits_for(shape: Shape) -> None:
    with undone():
        board = Board()
        board.plan(shape)
        numbers = {task.pk: number for number, task in enumerate(board.tasks)}
        rows = Dependency.objects.values_list("task_id", "depends_on_id", "inherited_from_id")
        own = {(numbers[task], numbers[need]) for task, need, origin in rows if origin is None}
        assert own == set(shape.needs)
        from_above = {(numbers[task], numbers[need], numbers[origin]) for task, need, origin in rows if origin}
        assert from_above == inherited(shape)


CHANGES = st.lists(st.tuples(st.booleans(), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=8)


@one_in(2)
@given(shapes().filter(lambda shape: can_be_done(shape.parents, shape.needs)), CHANGES)
def test_added_and_removed_dependencies_never_close_a_cycle(shape: Shape, changes: list[tuple[bool, int, int]]) -> None:
    with undone():
        board = Board()
        board.plan(shape)
        needs = set(shape.needs)
        for is_removed, first, second in changes:
            if is_removed and needs:
                drop = sorted(needs)[first % len(needs)]
                board.edit(board.tasks[drop[0]], remove_dependencies=[board.tasks[drop[1]]])
                needs.remove(drop)
                continue
            task, need = first % len(board.tasks), second % len(board.tasks)
            accepted = is_accepted(lambda: board.edit(board.tasks[task], add_dependencies=[board.tasks[need]]))  # noqa: B023
            assert accepted == can_be_done(shape.parents, needs | {(task, need)})
            needs |= {(task, need)} if accepted else set()
        assert set(Dependency.objects.filter(inherited_from=None).values_list("task_id", "depends_on_id")) == {
            (board.tasks[task].pk, board.tasks[need].pk) for task, need in needs
        }
        board.work_off()


@one_in(2)
@given(
    shapes(6).filter(lambda shape: can_be_done(shape.parents, shape.needs)),
    st.integers(0, 99),
    st.lists(st.integers(0, 99), max_size=3),
)
def test_subtasks_planned_later_may_need_only_what_does_not_wait_for_their_parent(
    shape: Shape, below: int, outside: list[int]
) -> None:
    with undone():
        board = Board()
        board.plan(shape)
        parent, root, new = below % len(board.tasks), len(board.tasks), len(board.tasks) + 1
        wanted = {number % len(board.tasks) for number in outside}
        ids = tuple(board.tasks[number].public_id for number in sorted(wanted))
        subtask = Subtask(title="new", description="Do it", specialist="tester", dependencies=ids)
        accepted = is_accepted(lambda: board.send([subtask], parent=board.tasks[parent]))
        needs = {*shape.needs, *((new, number) for number in wanted)}
        assert accepted == can_be_done([*shape.parents, parent, root], needs)
        for task in Task.objects.filter(title__in=["new", "Build it"], parent__isnull=False):
            assert set(task.dependencies.exclude(inherited_from=None).values_list("depends_on_id", flat=True)) == {
                need.depends_on_id
                for above in line_of(board.tasks[parent])
                for need in above.dependencies.filter(inherited_from=None)
            }
        board.work_off()


@given(shapes(5), st.integers(0, 4), st.sampled_from(["self", "nobody", "twice"]))
def test_what_a_task_may_not_wait_for_is_named_with_its_place(shape: Shape, where: int, mistake: str) -> None:
    number = where % len(shape.parents)
    with undone():
        board = Board()
        subtasks = [
            Subtask(title="same" if mistake == "twice" else f"t{n}", description="Do it", specialist="tester")
            for n in range(len(shape.parents) + 2)
        ]
        reference = {"self": f"t{number}", "nobody": "tester_000000", "twice": "same"}[mistake]
        subtasks[number] = Subtask(
            title=f"t{number}", description="Do it", specialist="tester", dependencies=(reference,)
        )
        with pytest.raises(Invalid) as rejection:
            board.send(subtasks)
        assert [problem["at"] for problem in rejection.value.details["problems"]] == [
            f"subtasks[{number}].dependencies[0]"
        ]
        assert not Task.objects.exists()
