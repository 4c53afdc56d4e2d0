"""Whatever assistants do with tasks and resources in whatever order, what is held is counted and free for the next."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_site.kernel.errors import OrchestratorError
from tasks.choices import CLAIMABLE, Status
from tasks.identity.actor import Actor
from tasks.models import Attempt, Resource, ResourceHold, Task
from tasks.roles import catalogue
from tasks.services import leases, resources, sessions, steer
from tasks.services.archive import archive, restore
from tasks.services.claim import claim, claim_next
from tasks.services.complete import complete
from tasks.services.edit import Changes, edit
from tests.factories import make_project, make_resource, make_session
from tests.properties import one_in, open_needs, undone
from tests.tasks.test_resources import ADMIN, planned

pytestmark = pytest.mark.django_db
NAMES = ("port", "staging")


class Yard:
    """Three assistants, eight tasks and two resources. Each step takes who acts and a source of chance."""

    def __init__(self, capacity: int) -> None:
        self.project = make_project()
        self.roles = catalogue(self.project)
        make_resource(self.project, "port", capacity=capacity)
        make_resource(self.project, "staging")
        planned(self.project, (), ("port",), ("port",), ("staging",))
        planned(self.project, ("staging",), ("port", "staging"), ("staging", "port"), ())
        self.actors = [self.join() for _ in range(3)]

    def join(self) -> Actor:
        return Actor.assistant(make_session(self.project))

    def task(self, chance: Random, *statuses: str) -> Task:
        tasks = list(Task.objects.leaves().order_by("pk"))
        fitting = [task for task in tasks if task.status in statuses]
        return chance.choice(fitting or tasks)

    def claim(self, who: Actor, chance: Random) -> None:
        claim(task=self.task(chance, *CLAIMABLE, Status.ACTIVE), actor=who, take_over=chance.random() < 0.3)

    def claim_next(self, who: Actor, chance: Random) -> None:
        claim_next(project=self.project, actor=who)

    def end(self, who: Actor, chance: Random) -> None:
        task = self.task(chance, Status.ACTIVE)
        who = next((actor for actor in self.actors if actor.session == task.lease_session), who)
        ends: list[Callable[[], Any]] = [
            lambda: complete(task=task, actor=who, summary="Done"),
            lambda: complete(task=task, actor=who, summary="No", outcome=Status.NEEDS_REVISION, reason="Why"),
            lambda: steer.release(task=task, actor=who),
            lambda: steer.block(task=task, actor=who, reason="Why"),
            lambda: steer.fail(task=task, actor=who, reason="Why"),
            lambda: steer.cancel(task=task, actor=who),
        ]
        chance.choice(ends)()

    def go_on(self, who: Actor, chance: Random) -> None:
        task = self.task(chance, Status.BLOCKED, Status.FAILED, Status.CANCELLED)
        services = {Status.BLOCKED: steer.unblock, Status.FAILED: steer.retry}
        services.get(Status(task.status), steer.reopen)(task=task, actor=who)

    def hold(self, who: Actor, chance: Random) -> None:
        resources.hold(project=self.project, actor=who, name=chance.choice(NAMES))

    def let_go(self, who: Actor, chance: Random) -> None:
        number = chance.choice([None, None, 1, 2, 3])
        resources.let_go(project=self.project, actor=who, name=chance.choice(NAMES), number=number)

    def resize(self, who: Actor, chance: Random) -> None:
        resources.put_resource(
            project=self.project, actor=ADMIN, name=chance.choice(NAMES), capacity=chance.randint(1, 3)
        )

    def need(self, who: Actor, chance: Random) -> None:
        names = chance.sample(NAMES, chance.randint(0, 2))
        edit(task=self.task(chance, *CLAIMABLE), actor=ADMIN, changes=Changes(resources=names), catalogue=self.roles)

    def put_away(self, who: Actor, chance: Random) -> None:
        plan = chance.choice(list(Task.objects.plans()))
        (restore if plan.archived_at else archive)(task=plan, actor=ADMIN)

    def run_out(self, who: Actor, chance: Random) -> None:
        past = timezone.now() - timedelta(seconds=1)
        Task.objects.filter(pk=self.task(chance, Status.ACTIVE).pk, status=Status.ACTIVE).update(lease_expires_at=past)
        ResourceHold.objects.filter(task=None, number=chance.randint(1, 5)).update(expires_at=past)

    def leave(self, who: Actor, chance: Random) -> None:
        assert who.session is not None
        sessions.end_connection(who.session.connection_id)
        self.actors[self.actors.index(who)] = self.join()

    def sweep(self, who: Actor, chance: Random) -> None:
        leases.free_run_out(project=self.project)

    def check(self) -> None:
        for resource in Resource.objects.all():
            assert resource.held == resource.holds.count() <= resource.capacity
        for task in Task.objects.leaves().prefetch_related("needs__resource", "holds"):
            needed = {need.resource for need in task.needs.all()}
            in_hand = task.status == Status.ACTIVE and task.archived_at is None
            assert {hold.resource_id for hold in task.holds.all()} == (
                {each.pk for each in needed} if in_hand else set()
            )
            is_free = all(resource.held < resource.capacity for resource in needed)
            claimable = task.status in CLAIMABLE and task.archived_at is None
            assert task.is_ready == (claimable and is_free and not open_needs(task)), task
            assert Attempt.objects.filter(task=task).count() == task.lease_number - (task.status == Status.ACTIVE)


STEPS = (
    *(Yard.claim,) * 3, *(Yard.claim_next,) * 4, *(Yard.end,) * 6, *(Yard.go_on,) * 3, *(Yard.hold,) * 2,
    *(Yard.let_go,) * 2, Yard.resize, *(Yard.need,) * 2, Yard.put_away, *(Yard.run_out,) * 2, Yard.leave, Yard.sweep,
)  # fmt: skip


@one_in(5)
@given(st.integers(1, 2), st.integers(10, 50), st.randoms(use_true_random=True))
def test_every_hold_is_counted_and_every_ready_task_has_what_it_needs(
    capacity: int, length: int, chance: Random
) -> None:
    with undone():
        yard = Yard(capacity)
        yard.check()
        for _ in range(length):
            step = chance.choice(STEPS)
            try:
                step(yard, chance.choice(yard.actors), chance)
            except OrchestratorError as rejection:
                assert rejection.message
            yard.check()
