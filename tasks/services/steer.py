"""The verbs without a delivery: block, unblock, fail, retry, release, cancel and reopen."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from functools import partial
from typing import Any

from django.db import transaction

from orchestrator_site.kernel.errors import Invalid
from orchestrator_site.kernel.limits import LIMITS, require_texts
from orchestrator_site.kernel.text import quoted, within_bytes
from tasks import state_machine
from tasks.choices import FINISHED, Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Event, Task
from tasks.services import chains, dependencies, leases, rollup, transitions
from tasks.services.claim import Guard, locked
from tasks.services.effect import Effect

ANSWERS_LIMIT = LIMITS["answer"]
"""Characters of all answers that a task keeps for its next brief; the newest is kept however long it is."""
QUESTION_BYTES = 2_000
"""How much of a question is repeated above its answer, so that it does not push the answer out of the brief."""
_NEXT = "\n\n---\n\n"
_TOGETHER = "together"
"""In the events of one cancel that concerns several tasks: the same random word, by which reopening finds them."""


def _stop(
    verb: Verb,
    to: Status,
    *,
    task: Task,
    actor: Actor,
    reason: str = "",
    lease_number: int | None = None,
    guard: Guard | None = None,
) -> Effect:
    """Raises Invalid without a reason, Conflict where the verb is not possible or another session holds the task."""
    if not reason.strip():
        raise Invalid(f"reason: say why the task is {to.value}.", next="Retry with a reason.")
    require_texts(reason=reason)
    with transaction.atomic():
        task = locked(task, guard)
        transitions.require(task, verb)
        leases.require_holder(task, actor, lease_number=lease_number)
        transitions.move(task, verb, to=to, actor=actor, note={"reason": reason}, reason=reason)
        rollup.settle(task, actor=actor)
    return Effect(task)


def _go_on(verb: Verb, *, task: Task, actor: Actor, answer: str = "", guard: Guard | None = None) -> Effect:
    """Make a stopped task pending again; an answer to its reason comes first in the next brief, before earlier ones.

    Raises Conflict where the verb is not possible.
    """
    require_texts(answer=answer)
    with transaction.atomic():
        task = locked(task, guard)
        transitions.require(task, verb)
        kept: dict[str, Any] = {"answer": _answers(task, answer.strip())} if answer.strip() else {}
        note = {"answer": answer} if kept else {}
        transitions.move(task, verb, to=Status.PENDING, actor=actor, note=note, reason="", **kept)
        rollup.settle(task, actor=actor)
    return Effect(task)


def _answers(task: Task, newest: str) -> str:
    """Return the newest answer below its question, then earlier ones, each whole, as long as all fit the limit."""
    kept = f"{quoted(within_bytes(task.reason, QUESTION_BYTES))}\n\n{newest}"
    for earlier in filter(None, task.answer.split(_NEXT)):
        if len(kept) + len(_NEXT) + len(earlier) > ANSWERS_LIMIT:
            break  # it is in the events
        kept += _NEXT + earlier
    return kept


block = partial(_stop, Verb.BLOCK, Status.BLOCKED)
fail = partial(_stop, Verb.FAIL, Status.FAILED)
unblock = partial(_go_on, Verb.UNBLOCK)
retry = partial(_go_on, Verb.RETRY)


def release(
    *, task: Task, actor: Actor, reason: str = "", lease_number: int | None = None, guard: Guard | None = None
) -> Effect:
    """Give an active task back, so that another can claim it.

    Raises Conflict where it is not active or another session holds it.
    """
    require_texts(reason=reason)
    with transaction.atomic():
        task = locked(task, guard)
        transitions.require(task, Verb.RELEASE)
        leases.require_holder(task, actor, lease_number=lease_number)
        leases.free(task, actor=actor, why=reason)
        rollup.settle(task, actor=actor)
    return Effect(task)


def cancel(*, task: Task, actor: Actor, reason: str = "", guard: Guard | None = None) -> Effect:
    """Cancel a task and every unfinished task below it. What depends on them keeps waiting, and is returned.

    Raises Conflict where the task is finished, or where an assistant that may not review would cancel a task that
    another one holds.
    """
    require_texts(reason=reason)
    with transaction.atomic():
        dependencies.lock_tree(task)
        task = locked(task, guard)
        transitions.require(task, Verb.CANCEL)
        unfinished = _below(task, state_machine.UNFINISHED)
        note = {"reason": reason, **({_TOGETHER: secrets.token_hex(8)} if unfinished else {})}
        below = [_cancel_one(each, actor, note) for each in unfinished]
        task = _cancel_one(task, actor, note)
        chains.refresh(each.pk for each in (task, *below) if each.is_leaf)
        rollup.settle(task, actor=actor)
    cancelled = [task, *below]
    waiting = Task.objects.on_board().filter(dependencies__depends_on__in=cancelled).exclude(status__in=FINISHED)
    waiting = waiting.exclude(pk__in=[each.pk for each in cancelled]).distinct().order_by("id")
    return Effect(task, cancelled=cancelled, still_waiting=list(waiting[:50]))


def reopen(*, task: Task, actor: Actor, guard: Guard | None = None) -> Effect:
    """Make a cancelled task pending again, with the subtasks that were cancelled together with it.

    The cancelled tasks above it are reopened too. Raises Conflict where it is not cancelled, or it is a group of which
    no subtask comes back.
    """
    with transaction.atomic():
        dependencies.lock_tree(task)
        task = locked(task, guard)
        transitions.require(task, Verb.REOPEN)
        reopened = [*_cancelled_with(task), task]
        for each in reopened:
            transitions.move(each, Verb.REOPEN, to=Status.PENDING, actor=actor, reason="")
        chains.refresh(each.pk for each in reopened if each.is_leaf)
        for group in (each for each in reopened if not each.is_leaf):
            rollup.catch_up(group, actor=actor)
        rollup.settle(task, actor=actor)
    return Effect(task, reopened=reopened[::-1])


def _cancelled_with(task: Task) -> list[Task]:
    """Return the tasks below a cancelled one that went with it, deepest first; their events say so."""
    cancels = Event.objects.filter(verb=Verb.CANCEL)
    mark = cancels.filter(task=task).order_by("-id").values_list(f"after__{_TOGETHER}", flat=True)[:1]
    if not (together := next(iter(mark), None)):
        return []
    events = cancels.filter(task__root=task.plan_id, **{f"after__{_TOGETHER}": together})
    pks = set(events.values_list("task_id", flat=True))
    return [each for each in _below(task, {Status.CANCELLED}) if each.pk in pks]


def _below(task: Task, statuses: Collection[Status]) -> list[Task]:
    """Return the tasks of the subtree in these statuses, deepest first."""
    found: list[Task] = []
    level = [task.pk]
    while level:
        below = Task.objects.filter(parent_id__in=level).select_related("lease_session")
        rows = list(below.select_for_update(of=("self",)).order_by("-position"))
        found.extend(row for row in rows if row.status in statuses and row.archived_at is None)
        level = [row.pk for row in rows if not row.is_leaf]
    return found[::-1]


def _cancel_one(task: Task, actor: Actor, note: dict[str, str]) -> Task:
    leases.require_not_anothers(task, actor)
    return transitions.move(task, Verb.CANCEL, to=Status.CANCELLED, actor=actor, note=note, reason=note["reason"])
