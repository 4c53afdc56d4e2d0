"""A reviewer's two verdicts: approve a delivery, or request a revision."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from orchestrator_site.kernel.commits import unchanged
from orchestrator_site.kernel.errors import Forbidden, Invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.limits import LIMITS, require_texts
from orchestrator_site.kernel.signals import verdict_given
from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Event, Task
from tasks.project_settings import setting
from tasks.services import attempts, chains, dependencies, gates, rollup, transitions
from tasks.services.claim import Guard, locked, locked_with_graph
from tasks.services.complete import became_ready
from tasks.services.effect import Effect


def approve(*, task: Task, actor: Actor, reason: str = "", guard: Guard | None = None) -> Effect:
    """Accept what was delivered; unsent line comments go with the approval.

    Raises Forbidden for an actor that may not review or that delivered it, Conflict where there is none to accept.
    """
    actor.require(Scope.REVIEW)
    require_texts(reason=reason)
    with transaction.atomic():
        task = locked_with_graph(task, guard)
        transitions.require(task, Verb.APPROVE)
        _require_other(task, actor)
        if task.gates:
            gates.require_for_approval(task, actor)
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
        dependencies.lock_tree(task)
        task = locked(task, guard)
        whole, number = _with_line_comments(task, reason)
        if not whole.strip():
            raise Invalid("reason: explain what needs to change.", next="Retry with a reason.")
        if len(whole) > LIMITS["reason"] and number:  # the drafts stay drafts
            raise Invalid(
                f"reason: with the {number} line comments it has {len(whole):,} characters; "
                f"the limit is {LIMITS['reason']:,}.",
                next=f"{unchanged()} Shorten it, or withdraw a comment.".lstrip(),
            )
        rollup.require_alive(task)
        was_completed = task.status == Status.COMPLETED
        transitions.move(
            task,
            Verb.REQUEST_REVISION,
            to=Status.NEEDS_REVISION,
            actor=actor,
            note=_note(reason, number),
            review_comment=whole,
        )
        attempts.send_back(task, whole)
        if was_completed:
            chains.refresh([task.pk])
        rollup.settle(task, actor=actor)
        dependents = Task.objects.filter(dependencies__depends_on=task).distinct().order_by("id")
        started = dependents.exclude(status__in=[Status.PENDING, Status.CANCELLED])
        return Effect(task, built_on_it=list(started[:20]))


def _require_other(task: Task, actor: Actor) -> None:
    """Check that the actor did not deliver the task itself, unless the project allows that. Raises Forbidden.

    What the project allows does not open a gate that asks for another.
    """
    is_asked = bool(task.gates) and gates.is_for_another(task)
    if setting(task.project, "self_approval") and not is_asked:
        return
    deliveries = Event.objects.filter(task=task, verb__in=[Verb.COMPLETE, Verb.FINISH]).select_related("session")
    last = deliveries.order_by("-id").first()
    if last is not None and actor.is_same(Actor.of(last)):
        raise Forbidden(
            f"{task.public_id} was delivered by you: another must approve it.",
            next="A person, or an assistant with another token or connection, approves it"
            + ("." if is_asked else "; or the person who runs the server allows self_approval in its settings."),
        )


def _with_line_comments(task: Task, comment: str) -> tuple[str, int]:
    answers: list[Any] = [answer for _, answer in verdict_given.send(Task, task=task, comment=comment)]
    return answers[0] if answers else (comment, 0)


def _note(words: str, comments: int) -> dict[str, Any]:
    return {**({"comment": words} if words else {}), **({"comments": comments} if comments else {})}
