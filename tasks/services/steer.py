"""The verbs that steer a task without delivering: block, unblock, fail, retry, release and cancel."""

from __future__ import annotations

from django.db import transaction

from orchestrator_site.kernel.errors import Invalid
from orchestrator_site.kernel.limits import require_texts
from tasks.choices import FINISHED, Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Task
from tasks.services import leases, rollup, transitions
from tasks.services.claim import locked


def block(*, task: Task, actor: Actor, reason: str, lease_number: int | None = None) -> Task:
    """Stop a task until somebody unblocks it.

    Raises Invalid without a reason, Conflict where it cannot be blocked or another session holds it.
    """
    return _stop(task, actor, Verb.BLOCK, Status.BLOCKED, reason, lease_number)


def fail(*, task: Task, actor: Actor, reason: str, lease_number: int | None = None) -> Task:
    """Give up on a task that was tried.

    Raises Invalid without a reason, Conflict where nobody is trying it or another session holds it.
    """
    return _stop(task, actor, Verb.FAIL, Status.FAILED, reason, lease_number)


def unblock(*, task: Task, actor: Actor) -> Task:
    """Put a blocked task back among the pending ones.

    Raises Conflict where it is not blocked.
    """
    return _put_back(task, actor, Verb.UNBLOCK)


def retry(*, task: Task, actor: Actor) -> Task:
    """Put a failed task back among the pending ones.

    Raises Conflict where it has not failed.
    """
    return _put_back(task, actor, Verb.RETRY)


def release(*, task: Task, actor: Actor, reason: str = "", lease_number: int | None = None) -> Task:
    """Give an active task back for somebody else to claim.

    Raises Conflict where it is not active or another session holds it.
    """
    require_texts(reason=reason)
    with transaction.atomic():
        task = locked(task)
        transitions.require(task, Verb.RELEASE)
        leases.require_holder(task, actor, lease_number=lease_number)
        leases.free(task, actor=actor, why=reason)
        rollup.settle(task, actor=actor)
    return task


def cancel(*, task: Task, actor: Actor, reason: str = "") -> list[Task]:
    """Cancel a task and every unfinished task below it; returns those that changed, the task itself first.

    What depends on them stays as it is: it is listed by `dependents_of`, never freed in silence.

    Raises Conflict where the task is finished, or where an assistant that may not review would cancel what another
    one is working on.
    """
    require_texts(reason=reason)
    with transaction.atomic():
        task = locked(task)
        transitions.require(task, Verb.CANCEL)
        below = [_cancel_one(each, actor, reason) for each in _unfinished_below(task)]
        task = _cancel_one(task, actor, reason)
        rollup.settle(task, actor=actor)
    return [task, *below]


def dependents_of(tasks: list[Task]) -> list[Task]:
    """Return the unfinished tasks that wait for any of these and are not among them."""
    waiting = Task.objects.filter(dependencies__depends_on__in=tasks).exclude(status__in=FINISHED)
    return list(waiting.exclude(pk__in=[task.pk for task in tasks]).distinct().order_by("id")[:50])


def _stop(task: Task, actor: Actor, verb: Verb, to: Status, reason: str, lease_number: int | None) -> Task:
    if not reason.strip():
        raise Invalid(f"reason: say why the task is {to.value}.", next="Send the call again with a reason.")
    require_texts(reason=reason)
    with transaction.atomic():
        task = locked(task)
        transitions.require(task, verb)
        leases.require_holder(task, actor, lease_number=lease_number)
        transitions.move(task, verb, to=to, actor=actor, note={"reason": reason}, reason=reason)
        rollup.settle(task, actor=actor)
    return task


def _put_back(task: Task, actor: Actor, verb: Verb) -> Task:
    with transaction.atomic():
        task = locked(task)
        transitions.move(task, verb, to=Status.PENDING, actor=actor, reason="")
        rollup.settle(task, actor=actor)
    return task


def _unfinished_below(task: Task) -> list[Task]:
    """Every unfinished task of the subtree, deepest first, so that rows are locked from the leaves up."""
    found: list[Task] = []
    level = [task.pk]
    while level:
        rows = list(Task.objects.select_for_update(of=("self",)).filter(parent_id__in=level).order_by("-position"))
        found.extend(row for row in rows if row.status not in FINISHED and row.archived_at is None)
        level = [row.pk for row in rows if not row.is_leaf]
    return list(reversed(found))


def _cancel_one(task: Task, actor: Actor, reason: str) -> Task:
    leases.require_not_anothers(task, actor)
    return transitions.move(task, Verb.CANCEL, to=Status.CANCELLED, actor=actor, note={"reason": reason}, reason=reason)
