"""Operations: the record of what the coordinator did, their runs on the worker, and their undo."""

from __future__ import annotations

import logging
from collections.abc import Callable
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
from maintenance.services.import_plan import import_plan
from maintenance.services.purge import export_of
from orchestrator_site.kernel import ids
from orchestrator_site.kernel.commits import after_commit
from orchestrator_site.kernel.errors import Conflict, OrchestratorError
from orchestrator_site.kernel.identity import Scope as Permission
from tasks.identity.actor import Actor
from tasks.models import Task
from tasks.services.archive import archive, restore

logger = logging.getLogger(__name__)

RUNNER = "maintenance.jobs.run_operation"
TIMEOUT = timedelta(minutes=4)
ATTEMPTS = 3
INVERSE = {"archive": "restore", "restore": "archive", "purge": "import"}
"""The verbs that can be undone, and by what."""
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


def new_operation(*, actor: Actor, state: State, **fields: Any) -> Operation:
    return Operation(
        public_id=ids.operation_id(), session=actor.session, actor_kind=actor.kind, actor_name=actor.name,
        state=state, **fields,
    )  # fmt: skip


def begin(public_id: str) -> Operation | None:
    """Take a queued operation, or one whose process has died; None where another process has it, or it has ended.

    One that died too often is recorded as failed. So is one that died in the call, which no one waits for, and one that
    had begun to change something: what is left of it was previewed on another board.
    """
    now = timezone.now()
    lost = Q(state=State.RUNNING, started_at__lt=now - TIMEOUT - timedelta(seconds=10))
    rows = Operation.objects.filter(Q(state=State.QUEUED) | lost, public_id=public_id)
    half_done = ~Q(changes=[]) | Q(state=State.RUNNING, attempt=0)
    rows.filter(half_done).update(
        state=State.FAILED, problem="Its process died half-way. Preview the rest.", finished_at=now
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


def note_progress(operation: Operation, changes: list[dict[str, Any]], total: int) -> None:
    """Keep what was done so far: whatever becomes of the process, that can be undone; the events have the rest."""
    Operation.objects.filter(pk=operation.pk).update(changes=changes, done=len(changes), total=total)


def requeue_lost() -> int:
    """Queue again what was queued or running when its worker went; returns how many."""
    now = timezone.now()
    lost = Q(state=State.RUNNING, started_at__lt=now - TIMEOUT - timedelta(minutes=3))
    waiting = Q(state=State.QUEUED, created_at__lt=now - timedelta(minutes=15))
    rows = list(Operation.objects.filter(lost | waiting)[:20])
    for operation in rows:
        queue(operation)
    return len(rows)


def can_undo(operation: Operation) -> str:
    """Return why an operation cannot be undone; empty where it can."""
    if operation.finished_at is None:
        return "It has not ended."
    if operation.undone_at is not None:
        return "It was undone already."
    if not _undoable(operation):
        return "It did nothing that can be undone."
    return ""


def undo(*, operation: Operation, actor: Actor) -> Operation:
    """Do the inverse of each change of an operation, the last one first; returns the operation that did so.

    Raises Forbidden, and Conflict where it cannot be undone, or was at the same time.
    """
    actor.require(Permission.WRITE)
    if why := can_undo(operation):
        raise Conflict(f"{operation.public_id} cannot be undone. {why}", next="Look at the runs of the project.")
    if any(change["verb"] == "purge" for change in _undoable(operation)):
        actor.require(Permission.ADMIN)
    changes = [_undone(operation, change, actor) for change in reversed(_undoable(operation))]
    # Marked last: what a killed process leaves can be undone again, and each inverse is done at most once.
    undone = {"undone_at": timezone.now(), "undone_by": actor.name}
    if not Operation.objects.filter(pk=operation.pk, undone_at=None).update(**undone):
        raise Conflict(f"{operation.public_id} was undone at the same time.")
    made = new_operation(
        actor=actor, state=State.QUEUED, project=operation.project, action=operation.action, scope=operation.scope,
        level=operation.level, request={"undo": operation.public_id}, started_at=timezone.now(),
    )  # fmt: skip
    finish(made, Result({"undid": operation.public_id, "changes_total": len(changes)}, [], changes))
    return made


def _undoable(operation: Operation) -> list[dict[str, Any]]:
    return [each for each in operation.changes if each["verb"] in INVERSE and "conflict" not in each]


def _undone(operation: Operation, change: dict[str, Any], actor: Actor) -> dict[str, Any]:
    verb, public_id = INVERSE[change["verb"]], change["task_id"]
    undone = {"verb": verb, "task_id": public_id, "title": change.get("title", "")}
    reason = f"Undo of {operation.public_id}."
    try:
        if verb == "import":
            import_plan(project=operation.project, export=export_of(operation.project, public_id), actor=actor)
        else:
            task = Task.objects.filter(project=operation.project, public_id=public_id).first()
            if task is None:
                raise Conflict(f"{public_id} is not there any more.")
            (restore if verb == "restore" else archive)(task=task, actor=actor, reason=reason)
    except Conflict as conflict:
        undone["conflict"] = conflict.message
    return undone


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
