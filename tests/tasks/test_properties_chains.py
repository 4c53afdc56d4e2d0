"""Whatever happens to a board, each task knows how much waits for it: as counted from what was asked for alone."""

from __future__ import annotations

from functools import cache
from random import Random

import pytest
from django.utils import timezone
from hypothesis import given, note
from hypothesis import strategies as st

from tasks.choices import FINISHED
from tasks.models import Dependency, Task
from tasks.services import leases
from tasks.services.actions import seen_as
from tasks.services.archive import archive, restore
from tasks.services.archive_plans import archive_plans
from tests.properties import line_of, one_in, undone
from tests.tasks import test_properties_states as states

pytestmark = pytest.mark.django_db

Reach = tuple[int, int]


def counted() -> dict[int, Reach]:
    """Count, for each unfinished leaf on the board, the longest way of those that wait for it, and those directly."""
    leaves = [
        task for task in Task.objects.all() if task.is_leaf and not task.archived_at and task.status not in FINISHED
    ]
    asked_for = set(Dependency.objects.filter(inherited_from=None).values_list("task", "depends_on"))
    lines = {leaf.pk: {each.pk for each in line_of(leaf)} for leaf in leaves}
    waiting = {
        need: {task for task in lines if any((a, b) in asked_for for a in lines[task] for b in lines[need])}
        for need in lines
    }

    @cache
    def chain(leaf: int) -> int:
        return 1 + max((chain(each) for each in waiting[leaf]), default=0)

    return {leaf: (chain(leaf), len(waiting[leaf])) for leaf in lines}


def stored() -> dict[int, Reach]:
    rows = Task.objects.filter(pk__in=counted()).values_list("pk", "chain", "unblocks")
    return {pk: (chain, unblocks) for pk, chain, unblocks in rows}


class Board(states.Board):
    """The board of the state machine, with tasks that leave it and come back."""

    def check(self) -> None:
        assert stored() == counted()

    def archive(self, who: str, where: int, luck: int) -> None:
        self.attempt(lambda: archive(task=self.pick(where), actor=self.actors[who]))

    def archive_plans(self, who: str, where: int, luck: int) -> None:
        plans = {task.pk: seen_as(task) for task in Task.objects.filter(parent=None)[: 1 + luck % 2]}
        archive_plans(project=self.project, plans=plans, actor=self.actors[who])

    def restore(self, who: str, where: int, luck: int) -> None:
        archived = list(Task.objects.filter(archived_at__lte=timezone.now()).order_by("depth"))
        if archived:
            self.attempt(lambda: restore(task=archived[0], actor=self.actors[who]))

    def sweep(self, who: str, where: int, luck: int) -> None:
        leases.free_run_out(project=self.project)  # of what is archived, leases stay

    def plan_another(self, who: str, where: int, luck: int) -> None:
        """Plan what waits for tasks of earlier plans, whatever became of them."""
        if Task.objects.count() < states.MOST_TASKS:
            first, second = self.pick(where), self.pick(luck)
            subtasks = [
                states.leaf("x", first.public_id),
                states.group("y", states.leaf("z", "x"), needs=(second.public_id,)),
            ]
            self.attempt(lambda: self.plan(subtasks, who))


STEPS = (
    *(getattr(Board, step.__name__) for step in (*states.STEPS, *states.OTHERS * 2)),
    *(Board.archive,) * 2, *(Board.restore,) * 3, Board.archive_plans, *(Board.plan_another,) * 2,
)  # fmt: skip


@one_in(5)
@given(st.booleans(), st.booleans(), st.integers(10, 50), st.randoms(use_true_random=True))
def test_chains_are_always_those_of_the_board(reviewed: bool, deep: bool, length: int, chance: Random) -> None:
    with undone():
        board = Board()
        board.plan(states.tree(reviewed, deep))
        board.check()
        for _ in range(length):
            act, who = chance.choice(STEPS), chance.choice(["claude", "cursor", "person"])
            where, luck = chance.randrange(1000), chance.randrange(1000)
            note(f"{act.__name__}({who!r}, {where}, {luck})")
            act(board, who, where, luck)
            board.check()
