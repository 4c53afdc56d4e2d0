"""Whatever several actors do in whatever order, the board stays within its rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import Phase
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tasks import roles
from tasks.actors import Actor
from tasks.choices import FINISHED, Priority, Status, Verb
from tasks.errors import OrchestratorError
from tasks.models import Dependency, Event, Task
from tasks.services import leases, review, sessions, steer
from tasks.services.claim import claim, claim_next
from tasks.services.complete import complete
from tasks.services.edit import Changes, edit
from tasks.services.plan import Subtask, plan
from tasks.services.transitions import TABLE
from tests.factories import make_project
from tests.properties import all_rows, one_in

WHO = st.sampled_from(["claude", "cursor", "person"])
ASSISTANTS = st.sampled_from(["claude", "cursor"])
WHERE = st.integers(0, 999)
NUMBERS = st.sampled_from(["none", "none", "current", "older", "newer"])
OUTCOMES = st.sampled_from(
    [Status.COMPLETED, Status.COMPLETED, Status.COMPLETED, Status.NEEDS_REVISION, Status.BLOCKED]
)


def leaf(key: str, *needs: str, review: bool = False) -> Subtask:
    return Subtask(title=key, description=key, specialist="tester", key=key, dependencies=needs, review=review)


def group(key: str, *subtasks: Subtask, needs: tuple[str, ...] = (), review: bool = False) -> Subtask:
    return Subtask(title=key, description=key, key=key, dependencies=needs, review=review, subtasks=subtasks)


class Board(RuleBasedStateMachine):
    """Two assistants and a person at one project. What the events say is kept apart and compared with the rows."""

    def __init__(self) -> None:
        super().__init__()
        self._example = transaction.atomic()
        self._example.__enter__()
        self.project = make_project()
        self.catalogue = roles.catalogue(self.project)
        self.actors = {"person": Actor(kind="person", name="ada")}
        self.statuses: dict[int, str] = {}
        self.lease_numbers: dict[int, int] = {}
        self.started: set[int] = set()
        self.cursor = 0
        self.connections = 0

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self._example.__exit__(None, None, None)

    @initialize(reviewed=st.booleans(), grouped=st.booleans())
    def begin(self, reviewed: bool, grouped: bool) -> None:
        self.join("claude")
        self.join("cursor")
        inner = group("inner", leaf("deep"), leaf("deeper", "deep"), review=reviewed)
        outer = [leaf("outer")] if not grouped else [group("outer", leaf("part", review=reviewed), inner, needs=("b",))]
        self.plan([leaf("a"), leaf("b", "a", review=reviewed), *outer, leaf("last", "outer")])

    def join(self, name: str) -> None:
        self.connections += 1
        session, _ = sessions.open_session(
            project=self.project, connection_id=f"{name}-{self.connections}", client_name=name
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

    # Acting

    def pick(self, where: int, verb: Verb | None = None) -> Task:
        """Choose a task, rather one that the verb fits than any."""
        tasks = list(Task.objects.order_by("pk").select_related("lease_session", "project"))
        fitting = [task for task in tasks if verb in TABLE and task.status in TABLE[verb].sources]
        pool = 2 * fitting + [task for task in fitting if task.is_leaf] * 2 + tasks
        return pool[where % len(pool)]

    def attempt(self, act: Callable[[], Any], *, must_fail: bool = False) -> None:
        """Act; a refusal is one of ours and has changed nothing."""
        before = all_rows()
        try:
            act()
        except OrchestratorError as refusal:
            assert refusal.message
            assert all_rows() == before
        else:
            assert not must_fail

    def number(self, task: Task, which: str) -> int | None:
        return {"none": None, "current": task.lease_number, "older": task.lease_number - 1}.get(
            which, task.lease_number + 1
        )

    def is_protected(self, task: Task, who: str, number: int | None) -> bool:
        """Whether a holder's verb must be refused, because of another's running lease or because of the number."""
        if number is not None:
            return number != task.lease_number
        running = task.status == Status.ACTIVE and task.is_leaf and task.lease_expires_at > timezone.now()
        if not running or (task.lease_session and task.lease_session.ended_at) or who == "person":
            return False
        return task.lease_session != self.actors[who].session

    @rule(who=WHO, where=WHERE, take_over=st.booleans())
    def claim(self, who: str, where: int, take_over: bool) -> None:
        task = self.pick(where, Verb.CLAIM)
        protected = self.is_protected(task, who, None)
        self.attempt(
            lambda: claim(task=task, actor=self.actors[who], take_over=take_over),
            must_fail=protected and not take_over,
        )

    @rule(who=WHO)
    def claim_next(self, who: str) -> None:
        leases.free_run_out(project=self.project)
        self.attempt(lambda: claim_next(project=self.project, actor=self.actors[who]))

    @rule(who=WHO, where=WHERE, outcome=OUTCOMES, which=NUMBERS)
    def complete(self, who: str, where: int, outcome: Status, which: str) -> None:
        task = self.pick(where, Verb.COMPLETE)
        number = self.number(task, which)
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

    @rule(
        who=WHO,
        where=WHERE,
        verb=st.sampled_from([steer.block, steer.fail, steer.release]),
        which=NUMBERS,
        why=st.text(),
    )
    def stop(self, who: str, where: int, verb: Callable[..., Task], which: str, why: str) -> None:
        task = self.pick(where, Verb(verb.__name__))
        number = self.number(task, which)
        self.attempt(
            lambda: verb(task=task, actor=self.actors[who], reason=why, lease_number=number),
            must_fail=self.is_protected(task, who, number),
        )

    @rule(who=WHO, where=WHERE, verb=st.sampled_from([steer.unblock, steer.retry, review.approve]))
    def put_back_or_approve(self, who: str, where: int, verb: Callable[..., Any]) -> None:
        task = self.pick(where, Verb(verb.__name__))
        self.attempt(lambda: verb(task=task, actor=self.actors[who]))

    @rule(who=WHO, where=WHERE, comment=st.sampled_from(["Mend it", "Mend it", " "]))
    def request_revision(self, who: str, where: int, comment: str) -> None:
        task = self.pick(where, Verb.REQUEST_REVISION)
        self.attempt(
            lambda: review.request_revision(task=task, actor=self.actors[who], comment=comment),
            must_fail=not comment.strip(),
        )

    @rule(who=WHO, where=WHERE)
    def cancel(self, who: str, where: int) -> None:
        task = self.pick(where, Verb.CANCEL)
        self.attempt(lambda: steer.cancel(task=task, actor=self.actors[who], reason="Not needed"))

    @rule(who=WHO, where=WHERE, priority=st.integers(0, 5), need=WHERE, drop=st.booleans())
    def edit(self, who: str, where: int, priority: int, need: int, drop: bool) -> None:
        task, other = self.pick(where), self.pick(need)
        links = {"remove_dependencies" if drop else "add_dependencies": [other]}
        changes = Changes(columns={"priority": priority}, **links)
        self.attempt(
            lambda: edit(task=task, actor=self.actors[who], changes=changes, catalogue=self.catalogue),
            must_fail=task == other or priority not in Priority.values,
        )

    @rule(who=WHO, where=WHERE, need=WHERE)
    def plan_below(self, who: str, where: int, need: int) -> None:
        task, other = self.pick(where, Verb.CLAIM), self.pick(need)
        if Task.objects.count() < 25:
            self.attempt(
                lambda: self.plan([leaf("first", other.public_id), leaf("second", "first")], who, task),
                must_fail=self.is_protected(task, who, None) or other == task,
            )

    # What happens to sessions and leases

    @rule(name=ASSISTANTS)
    def end_session(self, name: str) -> None:
        assert sessions.end_connection(f"{self.actors[name].session.connection_id}") == 1
        self.join(name)

    @rule(where=WHERE)
    def let_a_lease_run_out(self, where: int) -> None:
        held = list(Task.objects.filter(lease_expires_at__isnull=False).order_by("pk"))
        if held:
            past = timezone.now() - timedelta(seconds=1)
            Task.objects.filter(pk=held[where % len(held)].pk).update(lease_expires_at=past)

    @rule()
    def sweep(self) -> None:
        leases.free_run_out(project=self.project)
        assert not Task.objects.lease_over(timezone.now()).exists()

    # What holds after every step

    @invariant()
    def the_board_is_within_its_rules(self) -> None:
        self.check_that_the_events_tell_how_the_rows_came_about()
        for parent in Task.objects.filter(is_leaf=False):
            self.check_that_it_agrees_with_its_subtasks(parent)

    def check_that_the_events_tell_how_the_rows_came_about(self) -> None:
        for event in Event.objects.filter(pk__gt=self.cursor).order_by("pk"):
            self.cursor = event.pk
            if "status" in event.after:
                self.follow(event)
        rows = {task.pk: (task.status, task.lease_number) for task in Task.objects.all()}
        assert rows == {pk: (status, self.lease_numbers.get(pk, 0)) for pk, status in self.statuses.items()}

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
        if verb == Verb.CLAIM:
            assert event.after["lease_number"] > self.lease_numbers.get(event.task_id, 0)
            self.lease_numbers[event.task_id] = event.after["lease_number"]
            self.check_ready(event.task)

    def check_ready(self, task: Task) -> None:
        """A task that was claimed waits for nothing, neither itself nor for anything that its parents wait for."""
        assert task.is_leaf
        for each in line_of(task):
            self.started.add(each.pk)
            needs = Dependency.objects.filter(task=each, inherited_from__isnull=True).select_related("depends_on")
            assert {need.depends_on.status for need in needs} <= {Status.COMPLETED}

    def check_that_it_agrees_with_its_subtasks(self, parent: Task) -> None:
        below = {task.status for task in leaves_below(parent)}
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
            assert (parent.status == Status.PENDING) <= (parent.pk not in self.started)


def line_of(task: Task) -> Iterator[Task]:
    """Yield a task and every parent above it."""
    yield task
    while task.parent is not None:
        task = task.parent
        yield task


def leaves_below(task: Task) -> list[Task]:
    children = list(task.children.all())
    return [leaf for child in children for leaf in (leaves_below(child) if child.children.exists() else [child])]


@pytest.mark.hypothesis
@pytest.mark.django_db
def test_no_sequence_of_verbs_leads_out_of_the_table() -> None:
    run_state_machine_as_test(
        Board, settings=one_in(5, stateful_step_count=25, phases=[Phase.generate, Phase.explain][:1])
    )
