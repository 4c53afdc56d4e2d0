"""Do what a person asked for on a page, as long as the task still stands as the page showed it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction

from orchestrator_site.kernel.errors import Conflict
from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Event, Task
from tasks.services import review, steer
from tasks.services.claim import claim, locked

Do = Callable[[Task, Actor, str], Any]
_DOING: dict[Verb, Do] = {
    Verb.APPROVE: lambda task, actor, reason: review.approve(task=task, actor=actor, comment=reason),
    Verb.REQUEST_REVISION: lambda task, actor, reason: review.request_revision(task=task, actor=actor, comment=reason),
    Verb.CLAIM: lambda task, actor, reason: claim(task=task, actor=actor),
    Verb.RELEASE: lambda task, actor, reason: steer.release(task=task, actor=actor, reason=reason),
    Verb.UNBLOCK: lambda task, actor, reason: steer.unblock(task=task, actor=actor),
    Verb.RETRY: lambda task, actor, reason: steer.retry(task=task, actor=actor),
    Verb.BLOCK: lambda task, actor, reason: steer.block(task=task, actor=actor, reason=reason),
    Verb.FAIL: lambda task, actor, reason: steer.fail(task=task, actor=actor, reason=reason),
    Verb.CANCEL: lambda task, actor, reason: steer.cancel(task=task, actor=actor, reason=reason),
}
_LOOKED_AT = 20
"""Newest events among which the one that moved a task is looked for."""


def ask(*, task: Task, verb: Verb, actor: Actor, reason: str = "", seen: str = "") -> Task:
    """Do a verb; returns the task as it stands then.

    `seen` is the state in which the person saw the task, and the number of its lease: `active:3`. Raises Conflict,
    naming who was faster, where it stands in another one by now, and what the verb's own service raises.
    """
    with transaction.atomic():
        task = locked(task)
        require_seen(task, seen)
        _DOING[verb](task, actor, reason)
    return Task.objects.select_related("project").get(pk=task.pk)


def seen_as(task: Task) -> str:
    """Return what a page remembers of a task to tell whether it has moved since."""
    return f"{task.status}:{task.lease_number}"


def require_seen(task: Task, seen: str) -> None:
    """Check that a task, whose row is locked, still stands as somebody saw it; an empty `seen` asks nothing.

    Raises Conflict, naming who was faster.
    """
    if seen and seen != seen_as(task):
        raise Conflict(
            f"{_who_was_faster(task)} “{task.title}” is {Status(task.status).label.lower()} now.",
            next="Nothing was changed. Look at it as it stands, and decide anew.",
            details={"status": task.status},
        )


def _who_was_faster(task: Task) -> str:
    """Name who moved a task last, and how; what only wrote on it has not moved it."""
    newest = Event.objects.filter(task=task).select_related("session").order_by("-id")[:_LOOKED_AT]
    moved = next((event for event in newest if "status" in event.after), None)
    if moved is None:
        return "Somebody was faster."
    client = moved.session.client_name if moved.session else ""
    what = Verb(moved.verb).done_to("it") if moved.verb in Verb.values else moved.verb
    return f"{moved.actor_name}{f' with {client}' if client else ''} was faster and {what}."
