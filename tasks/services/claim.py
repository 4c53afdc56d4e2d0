"""Claim a task, renew a lease, or take a task over from a holder who is gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Exists
from django.utils import timezone

from orchestrator_site.kernel.compiled import Compiled
from orchestrator_site.kernel.errors import Hint, NotReady, invalid
from tasks import events
from tasks.choices import TAKEN_OVER, Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Project, ResourceHold, Task, TaskQuerySet, knowing_needs
from tasks.roles import catalogue
from tasks.selectors.blockers import has_open_dependencies, open_dependencies, why_nothing_is_ready
from tasks.selectors.find import TaskName, task_by_id
from tasks.services import holds, leases, rollup, transitions
from tasks.services.effect import Effect

Guard = Callable[[Task], None]  # checks a task whose row is locked, before anything is changed

_locked = Compiled(
    lambda pk: (
        knowing_needs(Task.objects.select_related("project", "parent", "lease_session"))
        .select_for_update(of=("self",))
        .filter(pk=pk)
    )
)
_locked_by_name = Compiled(
    lambda project, public_id: (
        knowing_needs(Task.objects.select_related("project", "parent", "lease_session"))
        .select_for_update(of=("self",))
        .filter(project=project, public_id=public_id)
    )
)


def _best(project: Any, now: Any, **which: Any) -> TaskQuerySet:
    """Return the best ready task, and whether a lease in the project is over, or the hold of a resource alone."""
    tasks = Task.objects.filter(project=project)
    alone = ResourceHold.objects.filter(resource__project=project, expires_at__lte=now)
    is_over = Exists(tasks.on_board().lease_over(now).order_by()) | Exists(alone.order_by())
    ready = knowing_needs(tasks.filter(**which).ready()).annotate(others_ran_out=is_over)
    return ready.select_for_update(of=("self",), skip_locked=True)[:1]


_best_of_all = Compiled(lambda project, now: _best(project, now))
_best_of = Compiled(lambda project, now, specialist: _best(project, now, specialist=specialist))


@dataclass(frozen=True, slots=True)
class Claim(Effect):
    """A task and its lease. `renewed`: the claimant held it already; `took_over`: another holder was replaced."""

    renewed: bool = False
    took_over: bool = False


def claim(*, task: Task | TaskName, actor: Actor, take_over: bool = False, guard: Guard | None = None) -> Claim:
    """Give the actor a lease on a task, with the next fencing number.

    A holder's own lease is renewed. An expired lease of another is replaced at once, a running one only with
    `take_over`. The claim takes the resources that the task needs; those of leases that ran out are free again.

    Raises NotReady while dependencies are open or another holds a resource, Conflict where the task cannot be claimed
    or another session holds it.
    """
    try:
        return _claim(task, actor, take_over, guard)
    except holds.Full:
        leases.free_run_out(project=task.project)
    return _claim(task, actor, take_over, guard)


def _claim(task: Task | TaskName, actor: Actor, take_over: bool, guard: Guard | None) -> Claim:
    with transaction.atomic(), events.together():
        task = locked(task, guard)
        transitions.require_on_board(task)
        if leases.is_holder(task, actor):
            task.lease_expires_at = timezone.now() + leases.duration(task.project)
            task.save(update_fields=["lease_expires_at"])
            return Claim(task, renewed=True)
        took_over = False
        if task.status == Status.ACTIVE and task.is_leaf:
            took_over = not task.lease_is_over(timezone.now())
            if took_over and not take_over:
                raise leases.held(task)
            leases.free(task, actor=actor, why=TAKEN_OVER if took_over else "The lease was over.")
        transitions.require(task, Verb.CLAIM)
        require_ready(task)
        _grant(task, actor)
    return Claim(task, took_over=took_over)


def claim_next(*, project: Project, actor: Actor, specialist: str | None = None) -> Claim:
    """Claim the best ready task: by priority, then in the order of planning.

    Raises NotReady where nothing is ready, Invalid for an unknown specialist.
    """
    if specialist is not None:
        wrong = catalogue(project).problems_with(specialist, at="specialist_type")
        # One without a role is known while there are tasks for it.
        if wrong and not Task.objects.filter(project=project, specialist=specialist).exists():
            raise invalid(wrong, next="Correct or omit it.")
    for is_last in (False, True):
        with transaction.atomic(), events.together():
            holds.lock_all(project.pk)
            for task in _best_for(project, specialist):
                if is_last or not task.others_ran_out:
                    task.project = project
                    _grant(task, actor)
                    return Claim(task)
        if not is_last:  # one whose lease ran out may be better
            leases.free_run_out(project=project)
    raise why_nothing_is_ready(project, specialist, actor.session)


def _best_for(project: Project, specialist: str | None) -> list[Any]:
    now = timezone.now()
    if specialist:
        return _best_of(project=project, now=now, specialist=specialist)
    return _best_of_all(project=project, now=now)


def locked(task: Task | TaskName, guard: Guard | None = None) -> Task:
    """Read a task with its row locked until the transaction ends, and check it.

    Raises what `task_by_id` raises for a name, and what `guard` raises.
    """
    holds.lock_all(task.project.pk if isinstance(task, TaskName) else task.project_id)
    if isinstance(task, TaskName):
        found = _locked_by_name.first(project=task.project, public_id=task.public_id)
        if found is None:  # part of an id, or no task
            return locked(task_by_id(task.project, task.public_id), guard)
    else:
        found = _locked.get(pk=task.pk)
    if guard is not None:
        guard(found)
    return found


def require_ready(task: Task) -> None:
    """Check that no dependency is open. Raises NotReady, naming what is."""
    if not task.is_ready and has_open_dependencies(task):
        waiting = open_dependencies(task)
        following, hint = _way_out(waiting)
        raise NotReady(
            f"{task.public_id} waits for {len(waiting)} unfinished "
            f"{'dependency' if len(waiting) == 1 else 'dependencies'}.",
            next=following,
            hint=hint,
            details={"waits_for": [{"task_id": need.public_id, "status": need.status} for need in waiting[:10]]},
        )


def _grant(task: Task, actor: Actor) -> None:
    number = task.lease_number + 1
    held = {hold.resource.name: hold.number for hold in holds.take_for(task, actor)}
    transitions.move(
        task,
        Verb.CLAIM,
        to=Status.ACTIVE,
        actor=actor,
        note={"lease_number": number, **({"resources": held} if held else {})},
        lease_number=number,
        lease_session=actor.session,
        lease_holder=actor.label,
        lease_expires_at=timezone.now() + leases.duration(task.project),
    )
    rollup.settle(task, actor=actor)


def _way_out(waiting: list[Task]) -> tuple[str, Hint]:
    cancelled = [need.public_id for need in waiting if need.status == Status.CANCELLED]
    if cancelled:
        return f"{', '.join(cancelled[:3])} will not finish unless reopened.", Hint.REMOVE_DEPENDENCY
    stopped = [need.public_id for need in waiting if need.status in (Status.FAILED, Status.BLOCKED)]
    if stopped:
        return f"{', '.join(stopped[:3])} will not finish by itself.", Hint.RETRY_OR_UNBLOCK
    return "", Hint.CLAIM_NEXT
