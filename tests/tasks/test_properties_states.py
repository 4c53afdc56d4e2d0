"""Whatever several actors do in whatever order, the board stays within its rules."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given, note
from hypothesis import strategies as st

from orchestrator_site.kernel.errors import OrchestratorError
from orchestrator_site.kernel.identity import Principal
from tasks import roles
from tasks.choices import CLAIMABLE, FINISHED, Priority, Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Event, Task
from tasks.services import leases, order, review, sessions, steer
from tasks.services.actions import ACTIONS
from tasks.services.claim import claim, claim_next
from tasks.services.complete import complete
from tasks.services.edit import Changes, edit
from tasks.services.plan import Subtask, plan
from tasks.state_machine import TABLE
from tests.factories import make_project
from tests.properties import all_rows, line_of, one_in, open_needs, undone

pytestmark = pytest.mark.django_db

OUTCOMES = (Status.COMPLETED, Status.COMPLETED, Status.COMPLETED, Status.NEEDS_REVISION, Status.BLOCKED)
MOST_TASKS = 25


def leaf(key: str, *needs: str, review: bool = False) -> Subtask:
    return Subtask(title=key, description=key, specialist="tester", key=key, dependencies=needs, review=review)


def group(key: str, *subtasks: Subtask, needs: tuple[str, ...] = (), review: bool = False) -> Subtask:
    return Subtask(title=key, description=key, key=key, dependencies=needs, review=review, subtasks=subtasks)


def tree(reviewed: bool, deep: bool) -> list[Subtask]:
    inner = group("inner", leaf("inmost"), leaf("after", "inmost"), review=reviewed)
    outer = group("outer", leaf("part", review=reviewed), inner, needs=("b",)) if deep else leaf("outer", "a")
    return [leaf("a"), leaf("b", "a", review=reviewed), outer, leaf("last", "outer")]


class Board:
    """Two assistants and a person at one project. What the events say is kept apart and compared with the rows.

    Every step is a method that takes who acts, where, and a number that settles the rest.
    """

    def __init__(self) -> None:
        self.project = make_project()
        self.catalogue = roles.catalogue(self.project)
        self.actors = {"person": Actor(kind="person", name="ada")}
        self.connections = 0
        self.join("claude")
        self.join("cursor")
        self.statuses: dict[int, str] = {}
        self.lease_numbers: dict[int, int] = {}
        self.started: set[int] = set()
        self.reopened: set[int] = set()  # a group begins again when it is reopened
        self.cursor = 0

    def join(self, name: str) -> None:
        self.connections += 1
        session, _ = sessions.open_session(
            project=self.project,
            principal=Principal(name),
            connection_id=f"{name}-{self.connections}",
            client_name=name,
        )
        self.actors[name] = Actor.assistant(session)

    def plan(self, subtasks: list[Subtask], who: str = "claude", parent: Task | None = None) -> None:
        plan(
            project=self.project,
            actor=self.actors[who],
            catalogue=self.catalogue,
            description="Build it",
            subtasks=subtasks,
            parent=parent,
        )

    def pick(self, where: int, verb: Verb | None = None) -> Task:
        """Choose a task, mostly one that the verb fits, leaves before their parents."""
        tasks = list(Task.objects.order_by("pk").select_related("lease_session", "project"))
        fitting = [task for task in tasks if verb in TABLE and task.status in TABLE[verb].sources]
        fitting.sort(key=lambda task: not task.is_leaf)
        pool = tasks if where % 8 == 7 else fitting or tasks
        return pool[where // 8 % len(pool)]

    def attempt(self, act: Callable[[], Any], *, must_fail: bool = False) -> None:
        """Act; a rejection is one of ours and has changed nothing."""
        before = all_rows()
        try:
            act()
        except OrchestratorError as rejection:
            assert rejection.message
            assert all_rows() == before
        else:
            assert not must_fail

    def number(self, task: Task, luck: int) -> int | None:
        """Choose the lease number to send: mostly none or the right one."""
        return (None, None, None, task.lease_number, task.lease_number, task.lease_number - 1, task.lease_number + 1)[
            luck % 7
        ]

    def is_protected(self, task: Task, who: str, number: int | None = None) -> bool:
        """Whether a holder's verb must be refused, because of another's running lease or because of the number."""
        if number is not None and number != task.lease_number:
            return True
        running = task.lease_expires_at is not None and task.lease_expires_at > timezone.now()
        if not running or (task.lease_session and task.lease_session.ended_at) or who == "person":
            return False
        return task.lease_session != self.actors[who].session

    # Steps

    def claim(self, who: str, where: int, luck: int) -> None:
        task, take_over = self.pick(where, Verb.CLAIM), luck % 3 == 0
        self.attempt(
            lambda: claim(task=task, actor=self.actors[who], take_over=take_over),
            must_fail=self.is_protected(task, who) and not take_over,
        )

    def claim_next(self, who: str, where: int, luck: int) -> None:
        leases.free_run_out(project=self.project)
        self.attempt(
            lambda: claim_next(project=self.project, actor=self.actors[who]),
            must_fail=not Task.objects.ready().exists(),
        )

    def complete(self, who: str, where: int, luck: int) -> None:
        task, outcome = self.pick(where, Verb.COMPLETE), OUTCOMES[luck // 7 % len(OUTCOMES)]
        task = (Task.objects.ready().first() or task) if not task.is_leaf and where % 4 else task
        number = self.number(task, luck)
        if task.lease_session and luck % 4:  # the holder itself, so that the board gets on
            who = next((name for name, actor in self.actors.items() if actor.session == task.lease_session), who)
        self.attempt(
            lambda: complete(
                task=task,
                actor=self.actors[who],
                summary="Done",
                outcome=outcome,
                reason="" if outcome == Status.COMPLETED else "Why",
                lease_number=number,
            ),
            must_fail=self.is_protected(task, who, number),
        )

    def block(self, who: str, where: int, luck: int) -> None:
        self.stop(Verb.BLOCK, who, where, luck)

    def fail(self, who: str, where: int, luck: int) -> None:
        self.stop(Verb.FAIL, who, where, luck)

    def release(self, who: str, where: int, luck: int) -> None:
        self.stop(Verb.RELEASE, who, where, luck)

    def stop(self, verb: Verb, who: str, where: int, luck: int) -> None:
        task, service = self.pick(where, verb), ACTIONS[verb].service
        number, reason = self.number(task, luck), " " if luck // 7 % 5 == 0 else "Why"
        self.attempt(
            lambda: service(task=task, actor=self.actors[who], reason=reason, lease_number=number),
            must_fail=self.is_protected(task, who, number) or (verb != Verb.RELEASE and not reason.strip()),
        )

    def unblock(self, who: str, where: int, luck: int) -> None:
        task = self.pick(where, Verb.UNBLOCK)
        self.attempt(lambda: steer.unblock(task=task, actor=self.actors[who]))

    def retry(self, who: str, where: int, luck: int) -> None:
        task = self.pick(where, Verb.RETRY)
        self.attempt(lambda: steer.retry(task=task, actor=self.actors[who]))

    def approve(self, who: str, where: int, luck: int) -> None:
        task = self.pick(where, Verb.APPROVE)
        self.attempt(lambda: review.approve(task=task, actor=self.actors[who]))

    def request_revision(self, who: str, where: int, luck: int) -> None:
        task, comment = self.pick(where, Verb.REQUEST_REVISION), "Fix it" if luck % 5 else " "
        self.attempt(
            lambda: review.request_revision(task=task, actor=self.actors[who], reason=comment),
            must_fail=not comment.strip(),
        )

    def cancel(self, who: str, where: int, luck: int) -> None:
        task = self.pick(where, Verb.CANCEL)
        self.attempt(lambda: steer.cancel(task=task, actor=self.actors[who], reason="Not needed"))

    def reopen(self, who: str, where: int, luck: int) -> None:
        task = self.pick(where, Verb.REOPEN)
        self.attempt(lambda: steer.reopen(task=task, actor=self.actors[who]))

    def edit(self, who: str, where: int, luck: int) -> None:
        task, other, priority = self.pick(where), self.pick(luck), luck % 6
        links = {"add_dependencies" if luck % 4 else "remove_dependencies": [other]}
        self.attempt(
            lambda: edit(
                task=task,
                actor=self.actors[who],
                changes=Changes(columns={"priority": priority}, **links),
                catalogue=self.catalogue,
            ),
            must_fail=task == other or priority not in Priority.values,
        )

    def plan_below(self, who: str, where: int, luck: int) -> None:
        task, other = self.pick(where, Verb.CLAIM), self.pick(luck)
        if Task.objects.count() < MOST_TASKS:
            self.attempt(
                lambda: self.plan([leaf("first", other.public_id), leaf("second", "first")], who, task),
                must_fail=self.is_protected(task, who) or other == task,
            )

    def plan_again(self, who: str, where: int, luck: int) -> None:
        """Go on with another plan where nothing is left to do."""
        if not Task.objects.leaves().exclude(status__in=FINISHED).exists():
            self.plan(tree(reviewed=luck % 2 == 0, deep=luck % 3 == 0), who)

    def end_session(self, who: str, where: int, luck: int) -> None:
        name = "claude" if luck % 2 else "cursor"
        assert sessions.end_connection(self.actors[name].session.connection_id) == 1
        self.join(name)

    def run_out(self, who: str, where: int, luck: int) -> None:
        """Let time pass for one lease."""
        held = Task.objects.filter(lease_expires_at__isnull=False).order_by("pk").values_list("pk", flat=True)
        if held:
            past = timezone.now() - timedelta(seconds=1)
            Task.objects.filter(pk=held[where % len(held)]).update(lease_expires_at=past)

    def defer(self, who: str, where: int, luck: int) -> None:
        task, until = self.pick(where, Verb.CLAIM), timezone.now() + timedelta(hours=luck % 3)
        self.attempt(
            lambda: order.defer(task=task, actor=self.actors[who], until=until if luck % 4 else None),
            must_fail=luck % 4 != 0 and luck % 3 == 0,
        )

    def come_due(self, who: str, where: int, luck: int) -> None:
        """Let time pass for what was deferred; it is ready once someone looks."""
        past = timezone.now() - timedelta(seconds=1)
        Task.objects.filter(not_before__isnull=False).update(not_before=past)

    def sweep(self, who: str, where: int, luck: int) -> None:
        leases.free_run_out(project=self.project)
        assert not Task.objects.lease_over(timezone.now()).exists()
        assert not Task.objects.filter(not_before__lte=timezone.now()).exists()

    # What holds after every step

    def check(self) -> None:
        for event in Event.objects.filter(pk__gt=self.cursor).order_by("pk"):
            self.cursor = event.pk
            if "status" in event.after:
                self.follow(event)
            elif event.verb == Verb.SPLIT and self.statuses[event.task_id] != Status.ACTIVE:
                self.started.discard(event.task_id)  # claimed once and given back: it begins again, as a group
        tasks = {task.pk: task for task in Task.objects.order_by("pk")}
        reported = {pk: (status, self.lease_numbers.get(pk, 0)) for pk, status in self.statuses.items()}
        assert {pk: (task.status, task.lease_number) for pk, task in tasks.items()} == reported
        for pk, below in leaves_below(tasks).items():
            self.check_that_they_agree(tasks[pk], below)
        for task in tasks.values():
            claimable = task.is_leaf and task.status in CLAIMABLE
            assert task.is_ready == (claimable and not open_needs(task) and task.not_before is None), task

    def follow(self, event: Event) -> None:
        """Check one change of a status against the table and against what the events before it said."""
        before, after, verb = event.before.get("status"), event.after["status"], Verb(event.verb)
        assert self.statuses.get(event.task_id) == before
        self.statuses[event.task_id] = after
        if verb == Verb.PLAN:
            assert after == Status.PENDING
            return
        assert before in TABLE[verb].sources
        assert after in TABLE[verb].targets
        if verb == Verb.REOPEN:
            self.reopened.add(event.task_id)
        if verb == Verb.CLAIM:
            assert event.after["lease_number"] > self.lease_numbers.get(event.task_id, 0)
            self.lease_numbers[event.task_id] = event.after["lease_number"]
            assert event.task.is_leaf
            assert open_needs(event.task) == set()
            self.started |= {each.pk for each in line_of(event.task)}
            self.reopened -= {each.pk for each in line_of(event.task)}

    def check_that_they_agree(self, parent: Task, below: set[str]) -> None:
        """A parent stands where its leaves lead it."""
        is_over = below <= set(FINISHED)
        if parent.status in (Status.COMPLETED, Status.IN_REVIEW):
            assert is_over
            assert Status.COMPLETED in below
        elif parent.status == Status.CANCELLED:
            assert is_over
        elif parent.status == Status.ACTIVE:
            assert not is_over
            assert parent.pk in self.started
        else:
            assert parent.status in (Status.PENDING, Status.NEEDS_REVISION)
            assert parent.status != Status.PENDING or parent.pk not in self.started - self.reopened
            assert not is_over


def leaves_below(tasks: dict[int, Task]) -> dict[int, set[str]]:
    """Return the states of the leaves below each parent, and of groups that wait for a review: nothing is over yet."""
    found: dict[int, set[str]] = {}
    parents = {task.parent_id for task in tasks.values()}
    for task in tasks.values():
        above = task
        counts = task.pk not in parents or task.status == Status.IN_REVIEW
        while counts and above.parent_id is not None:
            found.setdefault(above.parent_id, set()).add(task.status)
            above = tasks[above.parent_id]
    assert set(found) == {pk for pk, task in tasks.items() if not task.is_leaf}
    return found


WORK = (Board.claim, *(Board.claim_next,) * 3, *(Board.complete,) * 4)
STEERING = (Board.block, Board.unblock, Board.fail, Board.retry, Board.release, Board.approve, Board.request_revision)
OTHERS = (Board.cancel, Board.reopen, *(Board.edit,) * 2, Board.plan_below, *(Board.plan_again,) * 2)
PASSING = (Board.end_session, Board.run_out, Board.defer, Board.come_due, Board.sweep)
STEPS = (*WORK * 3, *STEERING * 2, *OTHERS, *PASSING)


# The steps are drawn by chance alone: a search for short and simple sequences stays where nothing has begun.
@one_in(5)
@given(st.booleans(), st.booleans(), st.integers(10, 60), st.randoms(use_true_random=True))
def test_no_sequence_of_verbs_leads_out_of_the_table(reviewed: bool, deep: bool, length: int, chance: Random) -> None:
    with undone():
        board = Board()
        board.plan(tree(reviewed, deep))
        board.check()
        for _ in range(length):
            act, who = chance.choice(STEPS), chance.choice(["claude", "cursor", "person"])
            where, luck = chance.randrange(1000), chance.randrange(1000)
            note(f"{act.__name__}({who!r}, {where}, {luck})")
            act(board, who, where, luck)
            board.check()
