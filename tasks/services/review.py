"""A reviewer's two verdicts: approve a delivery, or request a revision."""

from __future__ import annotations

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
from tasks.services.claim import Guard, locked
from tasks.services.complete import became_ready
from tasks.services.effect import Effect


def approve(*, task: Task, actor: Actor, reason: str = "", guard: Guard | None = None) -> Effect:
    """Accept what was delivered; unsent line comments go with the approval.

    Raises Forbidden for an actor that may not review, Conflict where there is none to accept.
    """
    actor.require(Scope.REVIEW)
    require_texts(reason=reason)
    with transaction.atomic():
        task = locked(task, guard)
        note = _note(reason, _with_line_comments(task, reason)[1])
        transitions.move(task, Verb.APPROVE, to=Status.COMPLETED, actor=actor, note=note, review_comment="", reason="")
        changed = rollup.settle(task, actor=actor)
        done = [ended for ended in (task, *changed) if ended.status == Status.COMPLETED]
        return Effect(task, unblocked=became_ready(done))


def request_revision(*, task: Task, actor: Actor, reason: str = "", guard: Guard | None = None) -> Effect:
    """Send a delivery back; the reason, with the line comments, comes first in the next brief.

    Raises Forbidden for an actor that may not review, Invalid without a comment or with more than a brief holds,
    Conflict where nothing was delivered or its plan was cancelled.
    """
    actor.require(Scope.REVIEW)
    require_texts(reason=reason)
    with transaction.atomic():
        task = locked(task, guard)
        whole, number = _with_line_comments(task, reason)
        if not whole.strip():
            raise Invalid("reason: explain what needs to change.", next="Retry with a reason.")
        if len(whole) > LIMITS["reason"] and number:  # the drafts stay drafts
            raise Invalid(
                f"reason: with the {number} line comments it has {len(whole):,} characters; "
                f"the limit is {LIMITS['reason']:,}.",
                next="Nothing was sent. Shorten it, or withdraw a comment.",
            )
        rollup.require_alive(task)
        transitions.move(
            task,
            Verb.REQUEST_REVISION,
            to=Status.NEEDS_REVISION,
            actor=actor,
            note=_note(reason, number),
            review_comment=whole,
        )
        rollup.settle(task, actor=actor)
        dependents = Task.objects.filter(dependencies__depends_on=task).distinct().order_by("id")
        started = dependents.exclude(status__in=[Status.PENDING, Status.CANCELLED])
        return Effect(task, built_on_it=list(started[:20]))


def _with_line_comments(task: Task, comment: str) -> tuple[str, int]:
    answers: list[Any] = [answer for _, answer in verdict_given.send(Task, task=task, comment=comment)]
    return answers[0] if answers else (comment, 0)


def _note(words: str, comments: int) -> dict[str, Any]:
    return {**({"comment": words} if words else {}), **({"comments": comments} if comments else {})}
