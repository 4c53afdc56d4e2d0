"""Undo of an operation: the inverse of each of its changes, as proposals that are done like any others."""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import Any

from django.db.models import Q
from django.utils import timezone

from maintenance.choices import Cause, Severity, State
from maintenance.found import Found
from maintenance.models import Operation
from maintenance.selectors.worker import is_running
from maintenance.services.operations import LOST_AFTER, Result, finish, new_operation, note_progress, queue, running
from maintenance.services.proposals import apply
from orchestrator_site.kernel.errors import Conflict
from orchestrator_site.kernel.identity import Scope as Permission
from tasks.identity.actor import Actor
from tasks.models import Event, Task

INVERSE = {"archive": "restore", "restore": "archive", "purge": "import"}
"""The verbs that can be undone, and by what."""
IN_CALL = 500
"""How many changes one call undoes by itself."""


def can_undo(operation: Operation) -> str:
    """Return why an operation cannot be undone; empty where it can."""
    if operation.finished_at is None:
        return "It has not ended."
    if operation.undone_at is not None:
        return "It was undone already."
    undoing = Operation.objects.filter(project=operation.project_id, request__undo=operation.public_id)
    alive = Q(state=State.RUNNING, started_at__gte=timezone.now() - LOST_AFTER)
    if undoing.filter(Q(state=State.QUEUED) | alive).exists():
        return "It is being undone."
    if not _undoable(operation):
        return "It did nothing that can be undone."
    return ""


def undo(*, operation: Operation, actor: Actor) -> Operation:
    """Do the inverse of each change of an operation, the last one first; returns the operation that does so.

    Many go to the worker; without one, up to a limit is undone, and another call undoes more.

    Raises Forbidden, and Conflict where it cannot be undone, or is being undone.
    """
    actor.require(Permission.WRITE)
    if why := can_undo(operation):
        raise Conflict(f"{operation.public_id} cannot be undone. {why}", next="Look at the runs of the project.")
    if any(change["verb"] == "purge" for change in _undoable(operation)):
        actor.require(Permission.ADMIN)
    made = new_operation(
        actor=actor, project=operation.project, action=operation.action, scope=operation.scope,
        level=operation.level, request={"undo": operation.public_id, "scopes": sorted(actor.scopes)},
    )  # fmt: skip
    if len(_undoable(operation)) > IN_CALL and is_running():
        made.save()
        queue(made)
        return made
    with running(made):
        result = perform_undo(made, actor, limit=IN_CALL)
    finish(made, result)
    return made


def perform_undo(made: Operation, actor: Actor, limit: int | None = None) -> Result:
    """Undo what an operation names, or what is left of it after others that did so died."""
    operation = Operation.objects.select_related("project").get(public_id=made.request["undo"])
    left = _left(operation)
    changes = apply(
        project=operation.project, proposals=left[:limit], actor=actor, reason=f"Undo of {operation.public_id}.",
        progress=partial(note_progress, made),
    )  # fmt: skip
    answer = {"undid": operation.public_id, "changes_total": len(changes)}
    if more := len(left[len(changes) :]):
        return Result({**answer, "notes": [f"{more} changes are left: undo it again."]}, [], changes)
    # Marked last: what a killed process leaves can be undone again.
    undone = {"undone_at": timezone.now(), "undone_by": actor.name}
    if not Operation.objects.filter(pk=operation.pk, undone_at=None).update(**undone):
        raise Conflict(f"{operation.public_id} was undone at the same time.")
    return Result(answer, [], changes)


def _undoable(operation: Operation) -> list[dict[str, Any]]:
    return [each for each in operation.changes if each["verb"] in INVERSE and "conflict" not in each]


def _left(operation: Operation) -> list[Found]:
    """Return the inverses that no earlier undo has done, as proposals."""
    earlier = Operation.objects.filter(project=operation.project, request__undo=operation.public_id)
    changes = chain.from_iterable(earlier.values_list("changes", flat=True))
    done = {each["task_id"] for each in changes if "begun" not in each}
    undoable = _happened(operation, _undoable(operation))
    left = [each for each in reversed(undoable) if each["task_id"] not in done]
    rows = Task.objects.filter(project=operation.project_id, public_id__in=[each["task_id"] for each in left])
    keys = dict(rows.values_list("public_id", "pk"))
    return [
        Found(
            Cause.ARCHIVABLE, Severity.INFO, each["task_id"], operation.created_at, each.get("title", ""),
            keys.get(each["task_id"]), proposal=INVERSE[each["verb"]],
        )
        for each in left
    ]  # fmt: skip


def _happened(operation: Operation, changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out what was begun when the process died and has no event: another operation may have done it since."""
    begun = [each["task_id"] for each in changes if "begun" in each]
    events = Event.objects.filter(
        task__project=operation.project_id, task__public_id__in=begun, actor_name=operation.actor_name,
        created_at__range=(operation.started_at, operation.finished_at),
    )  # fmt: skip
    done = set(events.values_list("verb", "task__public_id")) if begun else set()
    # No event is left on a task that was purged, but its export is there exactly if it was.
    return [
        each
        for each in changes
        if "begun" not in each or each["verb"] == "purge" or (each["verb"], each["task_id"]) in done
    ]
