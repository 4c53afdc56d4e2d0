"""Operations: the record of what the coordinator did, and their runs on the worker."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from django.db.models import F, Q
from django.utils import timezone
from django_q.tasks import async_task

from maintenance.choices import State
from maintenance.found import Found
from maintenance.models import Operation
from orchestrator_site.kernel import ids
from orchestrator_site.kernel.commits import after_commit
from orchestrator_site.kernel.errors import OrchestratorError
from tasks.identity.actor import Actor

logger = logging.getLogger(__name__)

RUNNER = "maintenance.jobs.run_operation"
TIMEOUT = timedelta(minutes=4)
LOST_AFTER = TIMEOUT + timedelta(seconds=10)
"""After which a process that has not ended an operation is taken for dead."""
ATTEMPTS = 3
REPORTED = 2_000
"""How many findings and changes an operation keeps; the counts are of all."""


@dataclass(frozen=True, slots=True)
class Result:
    """What an action found and did: the answer of the call, everything found, and everything changed."""

    answer: dict[str, Any]
    found: list[Found]
    changes: list[dict[str, Any]]


def queue(operation: Operation) -> None:
    options = {"task_name": operation.public_id, "timeout": int(TIMEOUT.total_seconds())}
    after_commit(partial(async_task, RUNNER, operation.public_id, q_options=options), repeated_by="requeue_operations")


def new_operation(*, actor: Actor, **fields: Any) -> Operation:
    return Operation(
        public_id=ids.operation_id(), session=actor.session, actor_kind=actor.kind, actor_name=actor.name, **fields
    )


@contextmanager
def running(operation: Operation) -> Iterator[None]:
    """Write down that an operation runs, before its first change, and why it failed if it does."""
    operation.state, operation.started_at = State.RUNNING, timezone.now()
    operation.save()
    try:
        yield
    except OrchestratorError as error:
        fail(operation, error.message)
        raise


def begin(public_id: str) -> Operation | None:
    """Take a queued operation, or one whose process has died; None where another process has it, or it has ended.

    One that died too often is recorded as failed. So is one that died in the call, which no one waits for, and one that
    had begun to change something: what is left of it was previewed on another board.
    """
    now = timezone.now()
    lost = Q(state=State.RUNNING, started_at__lt=now - LOST_AFTER)
    rows = Operation.objects.filter(Q(state=State.QUEUED) | lost, public_id=public_id)
    half_done = ~Q(changes=[]) | Q(state=State.RUNNING, attempt=0)
    rows.filter(half_done).update(
        state=State.FAILED, problem="Its process died half-way. Ask for the rest again.", finished_at=now
    )
    taken = rows.filter(attempt__lt=ATTEMPTS)
    if taken.update(state=State.RUNNING, attempt=F("attempt") + 1, started_at=now, done=0, total=0):
        return Operation.objects.select_related("project", "session").get(public_id=public_id)
    died = f"Its process died {ATTEMPTS} times."
    rows.filter(attempt__gte=ATTEMPTS).update(state=State.FAILED, problem=died, finished_at=now)
    return None


def run(*, public_id: str, perform: Callable[[Operation], Result]) -> str:
    """Do an operation on the worker; returns what became of it in a sentence."""
    operation = begin(public_id)
    if operation is None:
        return f"{public_id} has ended, or another process runs it."
    try:
        result = perform(operation)
    except OrchestratorError as error:
        fail(operation, f"{error.message} {error.next}".strip())
        return f"{public_id} failed: {error.message}"
    except BaseException as error:  # the outermost edge: timeouts and exits are recorded too
        fail(operation, f"{type(error).__name__}: {error}")
        raise
    finish(operation, result)
    return f"{public_id} has ended."


def finish(operation: Operation, result: Result) -> None:
    operation.answer, operation.changes = result.answer, result.changes
    operation.report = {"findings": [shape(each) for each in result.found[:REPORTED]], "total": len(result.found)}
    operation.state, operation.finished_at = State.SUCCEEDED, timezone.now()
    operation.done = operation.total = max(operation.total, len(result.changes))
    operation.save()


def fail(operation: Operation, problem: str) -> None:
    ended = {"state": State.FAILED, "problem": problem[:1000], "finished_at": timezone.now()}
    Operation.objects.filter(pk=operation.pk, state=State.RUNNING).update(**ended)


def note_progress(operation: Operation, changes: list[dict[str, Any]], ahead: list[dict[str, Any]], total: int) -> None:
    """Keep what was done so far and what is done next: whatever becomes of the process, that can be undone."""
    Operation.objects.filter(pk=operation.pk).update(changes=[*changes, *ahead], done=len(changes), total=total)


def requeue_lost() -> int:
    """Queue again what was queued or running when its worker went; returns how many."""
    now = timezone.now()
    lost = Q(state=State.RUNNING, started_at__lt=now - TIMEOUT - timedelta(minutes=3))
    waiting = Q(state=State.QUEUED, created_at__lt=now - timedelta(minutes=15))
    rows = list(Operation.objects.filter(lost | waiting)[:20])
    for operation in rows:
        queue(operation)
    return len(rows)


def shape(found: Found) -> dict[str, Any]:
    """Return a finding as callers get it."""
    return {
        "cause": found.cause.value,
        "severity": found.severity.label,
        "subject": found.subject,
        "title": found.title[:80],
        "since": found.since.isoformat(timespec="seconds"),
        "evidence": found.evidence,
        "proposal": found.proposal or None,
        "advice": found.advice or None,
    }
