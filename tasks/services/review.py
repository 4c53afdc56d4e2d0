"""A reviewer's two answers: approve the work, or send it back with what to mend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from orchestrator_site.kernel.errors import Invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.limits import LIMITS, require_texts
from orchestrator_site.kernel.signals import verdict_given
from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Task
from tasks.services import rollup, transitions
from tasks.services.claim import locked
from tasks.services.complete import became_ready


@dataclass(frozen=True, slots=True)
class Review:
    """The task as reviewed; what an approval made ready; what a revision pulls the ground from under."""

    task: Task
    unblocked: list[Task]
    affected: list[Task]


def approve(*, task: Task, actor: Actor, comment: str = "") -> Review:
    """Accept delivered work; comments that were not sent stay with the approval.

    Raises Forbidden for an actor that may not review, Conflict where there is none to accept.
    """
    actor.require(Scope.REVIEW)
    require_texts(reason=comment)
    with transaction.atomic():
        task = locked(task)
        note = _note(comment, _with_line_comments(task, comment)[1])
        transitions.move(task, Verb.APPROVE, to=Status.COMPLETED, actor=actor, note=note, review_comment="", reason="")
        changed = rollup.settle(task, actor=actor)
        done = [ended for ended in (task, *changed) if ended.status == Status.COMPLETED]
        return Review(task, became_ready(done), [])


def request_revision(*, task: Task, actor: Actor, comment: str) -> Review:
    """Send delivered work back; the comment, with those on its lines, is the first thing that the next execute shows.

    Raises Forbidden for an actor that may not review, Invalid without any comment or for more than one brief holds,
    Conflict where nothing was delivered or its plan was cancelled.
    """
    actor.require(Scope.REVIEW)
    require_texts(reason=comment)
    with transaction.atomic():
        task = locked(task)
        whole, number = _with_line_comments(task, comment)
        _require_words(whole, number)
        rollup.require_alive(task)
        transitions.move(
            task,
            Verb.REQUEST_REVISION,
            to=Status.NEEDS_REVISION,
            actor=actor,
            note=_note(comment, number),
            review_comment=whole,
        )
        rollup.settle(task, actor=actor)
        return Review(task, [], _built_on(task))


def _with_line_comments(task: Task, comment: str) -> tuple[str, int]:
    """Return the comment together with what the reviewer said on single lines, and how many such comments there are."""
    answers: list[Any] = [answer for _, answer in verdict_given.send(Task, task=task, comment=comment)]
    return answers[0] if answers else (comment, 0)


def _note(words: str, comments: int) -> dict[str, Any]:
    """What the event tells of what was said: the words, and how many comments on the work went with them."""
    return {**({"comment": words} if words else {}), **({"comments": comments} if comments else {})}


def _require_words(whole: str, comments: int) -> None:
    """Check that something is said, and no more than one brief holds; nothing is lost where it is refused."""
    if not whole.strip():
        raise Invalid("reason: say what to mend.", next="Send the call again with a reason.")
    if len(whole) > LIMITS["reason"] and comments:
        raise Invalid(
            f"reason: the words and the {comments} comments on the work have {len(whole):,} characters together; "
            f"{LIMITS['reason']:,} are allowed.",
            next="Nothing was sent. Say it in fewer words, or withdraw a comment.",
        )


def _built_on(task: Task) -> list[Task]:
    """Dependents that have started already: their ground has moved."""
    started = Task.objects.filter(dependencies__depends_on=task).exclude(status__in=[Status.PENDING, Status.CANCELLED])
    return list(started.distinct().order_by("id")[:20])
