"""Attempts: what came of each claim, written in the transaction that ends it."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from tasks.choices import Verb
from tasks.models import Attempt, Task


def ending(task: Task, outcome: Verb, note: dict[str, Any] | None) -> Attempt:
    """Return the row of the attempt that ends now; one whose lease ran out before ended then."""
    now, note, until = timezone.now(), note or {}, task.lease_expires_at
    session = task.lease_session
    return Attempt(
        task=task,
        lease_number=task.lease_number,
        session=session,
        holder=task.lease_holder,
        client=session.client_name if session else "",
        model=session.model if session else "",
        outcome=outcome,
        reason=note.get("reason") or note.get("comment") or "",
        started_at=task.active_at,
        ended_at=until if outcome == Verb.RELEASE and until is not None and until < now else now,
    )


def send_back(task: Task, comment: str) -> None:
    """Say of the attempt that delivered a task last that it was sent back."""
    delivered = Attempt.objects.filter(task=task, lease_number=task.lease_number)
    delivered.update(outcome=Verb.REQUEST_REVISION, reason=comment)
