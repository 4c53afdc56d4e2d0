"""A reviewer's two answers: approve the work, or send it back with what to mend."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from tasks.actors import Actor
from tasks.choices import Status, Verb
from tasks.errors import Invalid
from tasks.models import Task
from tasks.principals import Scope
from tasks.services import parents, transitions
from tasks.services.claim import locked
from tasks.services.complete import became_ready
from tasks.services.texts import require_texts


@dataclass(frozen=True, slots=True)
class Review:
    """The task as reviewed; what an approval made ready; what a revision pulls the ground from under."""

    task: Task
    unblocked: list[Task]
    affected: list[Task]


def approve(*, task: Task, actor: Actor, comment: str = "") -> Review:
    """Accept delivered work.

    Raises Forbidden for an actor that may not review, Conflict where there is none to accept.
    """
    actor.require(Scope.REVIEW)
    require_texts(reason=comment)
    with transaction.atomic():
        task = locked(task)
        note = {"comment": comment} if comment else {}
        transitions.move(task, Verb.APPROVE, to=Status.COMPLETED, actor=actor, note=note, review_comment="", reason="")
        changed = parents.settle(task, actor=actor)
        done = [ended for ended in (task, *changed) if ended.status == Status.COMPLETED]
        return Review(task, became_ready(done), [])


def request_revision(*, task: Task, actor: Actor, comment: str) -> Review:
    """Send delivered work back; the comment is the first thing that the next execute shows.

    Raises Forbidden for an actor that may not review, Invalid without a comment, Conflict where nothing was delivered
    or its plan was cancelled.
    """
    actor.require(Scope.REVIEW)
    if not comment.strip():
        raise Invalid("reason: say what to mend.", next="Send the call again with a reason.")
    require_texts(reason=comment)
    with transaction.atomic():
        task = locked(task)
        parents.require_alive(task)
        transitions.move(
            task,
            Verb.REQUEST_REVISION,
            to=Status.NEEDS_REVISION,
            actor=actor,
            note={"comment": comment},
            review_comment=comment,
        )
        parents.settle(task, actor=actor)
        return Review(task, [], _built_on(task))


def _built_on(task: Task) -> list[Task]:
    """Dependents that have started already: their ground has moved."""
    started = Task.objects.filter(dependencies__depends_on=task).exclude(status__in=[Status.PENDING, Status.CANCELLED])
    return list(started.distinct().order_by("id")[:20])
