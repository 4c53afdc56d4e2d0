"""Claim a task, renew a lease, or take a task over from a holder who is gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, cast

from django.db import transaction
from django.db.models import Exists, Q, Subquery
from django.utils import timezone

from orchestrator_site.kernel.compiled import Compiled
from orchestrator_site.kernel.errors import Conflict, Hint, NotReady, invalid
from tasks import events
from tasks.choices import TAKEN_OVER, Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Project, ResourceHold, Session, Task, TaskQuerySet, knowing_needs
from tasks.roles import catalogue
from tasks.selectors.blockers import has_open_dependencies, open_dependencies, why_nothing_is_ready
from tasks.selectors.find import TaskName, task_by_id
from tasks.selectors.next_task import RANK, TIES, closest, is_meant_for, last_attempts, meant_for, names_of
from tasks.services import deferrals, dependencies, holds, leases, rollup, transitions
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


def _best(project: Any, now: Any, *which: Any, **more: Any) -> TaskQuerySet:
    """Return the best ready task, and whether a lease, a deferral, or the hold of a resource alone is over."""
    tasks = Task.objects.filter(project=project)
    alone = ResourceHold.objects.filter(resource__project=project, expires_at__lte=now)
    rows = tasks.on_board().lease_over(now), alone, deferrals.due(project, now)
    is_over = reduce(or_, (Q(Exists(each.order_by())) for each in rows))
    ready = knowing_needs(tasks.filter(*which).ready()).annotate(others_ran_out=is_over, **more)
    return ready.select_for_update(of=("self",), skip_locked=True)[:1]


def _best_for_session(project: Any, now: Any, session: Any, client: Any, model: Any, *which: Any) -> TaskQuerySet:
    """Return the best one that no other client or model is wished for, and where the session did something last."""
    last = last_attempts(session)
    about = {"last_plan": Subquery(last.values("plan")[:1]), "last_paths": Subquery(last.values("task__paths")[:1])}
    return _best(project, now, meant_for(client, model), *which, **about)


_best_of_all = Compiled(lambda project, now: _best(project, now))
_best_of = Compiled(lambda project, now, specialist: _best(project, now, Q(specialist=specialist)))
_best_for_one = Compiled(
    lambda project, now, session, client, model: _best_for_session(project, now, session, client, model)
)
_best_for_one_of = Compiled(
    lambda project, now, session, client, model, specialist: _best_for_session(
        project, now, session, client, model, Q(specialist=specialist)
    )
)


def _tying(client: Any, model: Any, *which: Any, **rank: Any) -> TaskQuerySet:
    return Task.objects.filter(meant_for(client, model), *which, **rank).ready()[:TIES]


_ties = Compiled(
    lambda client, model, root, priority, status, due_at, chain, unblocks: _tying(
        client, model, root=root, priority=priority, status=status, due_at=due_at, chain=chain, unblocks=unblocks
    )
)
_ties_of = Compiled(
    lambda specialist, client, model, root, priority, status, due_at, chain, unblocks: _tying(
        client, model, Q(specialist=specialist), root=root,
        priority=priority, status=status, due_at=due_at, chain=chain, unblocks=unblocks,
    )
)  # fmt: skip
_one_of_the_ties = Compiled(
    lambda pk: knowing_needs(Task.objects.filter(pk=pk, is_ready=True)).select_for_update(
        of=("self",), skip_locked=True
    )
)


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
        if not take_over:
            _require_meant(task, actor)
        require_ready(task)
        _grant(task, actor)
    return Claim(task, took_over=took_over)


def claim_next(*, project: Project, actor: Actor, specialist: str | None = None) -> Claim:
    """Claim the best ready task, in the order that docs/routing.md explains.

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
            for best in _best_for(project, actor.session, specialist):
                if is_last or not best.others_ran_out:
                    task = _going_on(best, actor.session, specialist)
                    task.project = project
                    _grant(task, actor)
                    return Claim(task)
        if not is_last:  # one whose lease ran out may be better
            leases.free_run_out(project=project)
    raise why_nothing_is_ready(project, specialist, actor.session)


def _best_for(project: Project, session: Session | None, specialist: str | None) -> list[Any]:
    asked: dict[str, Any] = {"project": project, "now": timezone.now()}
    if session is not None:
        asked |= {"session": session, **names_of(session)}
        return _best_for_one_of(**asked, specialist=specialist) if specialist else _best_for_one(**asked)
    return _best_of(**asked, specialist=specialist) if specialist else _best_of_all(**asked)


def _going_on(best: Any, session: Session | None, specialist: str | None) -> Task:
    """Return a task of the plan in which the session did something last, if one there ties with the best."""
    if session is None or best.last_plan is None or (best.last_plan == best.plan_id and not best.last_paths):
        return cast("Task", best)
    asked = {**names_of(session), "root": best.last_plan, **{name: getattr(best, name) for name in RANK}}
    ties = _ties_of(**asked, specialist=specialist) if specialist else _ties(**asked)
    for task in closest(ties, best.last_paths):
        # Only one is locked: others that claim at the same time pass over what is, and the ties may be all there is.
        if task.pk == best.pk:
            break
        if found := _one_of_the_ties.first(pk=task.pk):
            return found
    return cast("Task", best)


def locked(task: Task | TaskName, guard: Guard | None = None) -> Task:
    """Read a task with its row locked until the transaction ends, and check it.

    Raises what `task_by_id` raises for a name, and what `guard` raises.
    """
    holds.lock_all(task.project_id)
    if isinstance(task, TaskName):
        found = _locked_by_name.first(project=task.project, public_id=task.public_id)
        if found is None:  # part of an id, or no task
            return locked(task_by_id(task.project, task.public_id), guard)
    else:
        found = _locked.get(pk=task.pk)
    if guard is not None:
        guard(found)
    return found


def locked_with_graph(task: Task | TaskName, guard: Guard | None = None) -> Task:
    """Do what `locked` does, with the graph kept as it is from the start, as for whatever may finish a task.

    Else tasks that wait for each other would be locked in either order, and `chains` would count what has just ended.
    """
    dependencies.lock_graph(task.project_id, shared=True)
    return locked(task, guard)


def require_ready(task: Task) -> None:
    """Check that it is not deferred and no dependency is open. Raises NotReady, naming what is."""
    if task.not_before is not None and task.not_before > timezone.now():
        at = deferrals.worded(task.not_before)
        raise NotReady(f"{task.public_id} is deferred until {at}.", hint=Hint.CLAIM_NEXT, details={"not_before": at})
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


def _require_meant(task: Task, actor: Actor) -> None:
    """Check that an assistant is the one that was wished for; the agent of a run was chosen. Raises Conflict."""
    if actor.session is None or actor.only_task is not None or is_meant_for(task, actor.session):
        return
    wished = {"client": task.for_client, "model": task.for_model}
    raise Conflict(
        f"{task.public_id} is meant for {' and '.join(filter(None, wished.values()))}.",
        hint=Hint.CLAIM_NEXT_OR_TAKE_OVER,
        details={name: value for name, value in wished.items() if value},
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
