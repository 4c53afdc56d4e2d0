"""Transitions: the one function that sets a status.

A transition is a conditional UPDATE: it holds only while the task still has the status and the lease number that
were read, so the loser of a race gets `conflict` and overwrites nothing.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from orchestrator_site.kernel.compiled import CompiledUpdate, insert
from orchestrator_site.kernel.errors import Conflict, Hint
from tasks import events
from tasks.choices import CLAIMABLE, FINISHED, Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Attempt, Task
from tasks.selectors.blockers import has_open_dependencies, is_held_up
from tasks.services import attempts, chains, dependencies, holds, readiness
from tasks.services.attempts import UNKNOWN, Usage
from tasks.state_machine import TABLE, possible_for

_unchanged = CompiledUpdate(
    lambda pk, status, lease_number: Task.objects.on_board().filter(pk=pk, status=status, lease_number=lease_number)
)


def require_on_board(task: Task) -> None:
    """Check that a task is not archived. Raises Conflict."""
    if task.archived_at is not None:
        raise Conflict(f"{task.public_id} is archived.", next="Restore it first.")


def require(task: Task, verb: Verb) -> None:
    """Check that a verb may start here. Raises Conflict, naming the status and what is possible instead."""
    require_on_board(task)
    if not TABLE[verb].is_for(task):
        raise Conflict(
            f"{task.public_id} has subtasks: {verb.value} is for the subtasks.",
            next="Act on its subtasks, or plan more below it.",
            hint=Hint.SEE_TASK,
        )
    if task.status not in TABLE[verb].sources:
        possible = possible_for(task)
        raise Conflict(
            f"{task.public_id} is {task.status}: {verb.value} is not possible.",
            next=f"From {task.status} possible: {', '.join(possible) or 'nothing'}.",
            details={"status": task.status, "possible": possible},
        )


def move(
    task: Task,
    verb: Verb,
    *,
    to: Status,
    actor: Actor,
    note: dict[str, Any] | None = None,
    usage: Usage = UNKNOWN,
    **fields: Any,
) -> Task:
    """Set a status, with whatever else changes with it, and write the event. `fields` are columns of the task.

    `usage` is of the attempt that ends. Raises Conflict where the verb is not possible, or another change came first.
    """
    require(task, verb)
    if to not in TABLE[verb].targets:
        raise ValueError(f"{verb} does not lead to {to}.")
    now = timezone.now()
    # Only an active leaf has a lease; a claim brings a new one in `fields`.
    no_lease = {"lease_session": None, "lease_holder": "", "lease_expires_at": None}
    completed_at = (task.completed_at or now) if to == Status.COMPLETED else None
    changes: dict[str, Any] = {
        "status": to,
        "updated_at": now,
        "active_at": now,
        "completed_at": completed_at,
        **no_lease,
    }
    changes |= fields
    if to in FINISHED:
        changes["not_before"] = None
    if to == Status.ACTIVE and task.started_at is None:
        changes["started_at"] = now
    before = task.status
    attempt = end_attempt(task, verb, note, usage)
    changes["is_ready"] = task.is_leaf and to in CLAIMABLE and task.not_before is None and not is_held_up(task)
    if not _unchanged(changes, pk=task.pk, status=before, lease_number=task.lease_number):
        raise Conflict(
            f"{task.public_id} was changed at the same time.", next="Read it again and decide.", hint=Hint.SEE_TASK
        )
    for name, value in changes.items():
        setattr(task, name, value)
    if attempt is not None:
        insert(attempt)
    if Status.COMPLETED in (before, to):
        task.frees = bool(readiness.refresh_dependents(task=task))
    if to == Status.COMPLETED and task.is_leaf and task.waits and has_open_dependencies(task):
        dependencies.lock_needed([task.pk])
        chains.refresh([task.pk])
    events.record(
        actor=actor,
        verb=verb,
        project=task.project_id,
        task=task,
        before={"status": before},
        after={"status": to.value, **(note or {})},
    )
    return task


def end_attempt(
    task: Task, outcome: Verb, note: dict[str, Any] | None = None, usage: Usage = UNKNOWN
) -> Attempt | None:
    """Give back what an active leaf holds, and return the row of its attempt, which the caller inserts."""
    if task.status != Status.ACTIVE or not task.is_leaf:
        return None
    holds.let_go_of(task)
    return attempts.ending(task, outcome, note, usage)
