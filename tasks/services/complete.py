"""End an attempt at a task: completed, to be revised, or blocked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from orchestrator_site.kernel.compiled import Compiled
from orchestrator_site.kernel.errors import invalid
from orchestrator_site.kernel.limits import check_texts
from orchestrator_site.kernel.signals import tasks_changed
from tasks import events
from tasks.choices import CLAIMABLE, Status, Verb
from tasks.gates.pieces import Piece
from tasks.identity.actor import Actor
from tasks.models import Dependency, Task
from tasks.services import gates, leases, rollup, transitions
from tasks.services.attempts import UNKNOWN, Usage
from tasks.services.claim import claim, locked_with_graph
from tasks.services.evidence import keep_evidence
from tasks.services.look import Look

_LOOKED_AT = 500
_NAMED = 20
_ready_after = Compiled(
    lambda done: (
        Task.objects.filter(pk__in=Dependency.objects.filter(depends_on__pk__in=done).values("task_id")[:_LOOKED_AT])
        .ready()
        .only("public_id", "title", "specialist", "parent_id")[:_NAMED]
    )
)


@dataclass(frozen=True, slots=True)
class Completion:
    task: Task
    parents: list[Task]
    unblocked: list[Task]


def complete(
    *,
    task: Task,
    actor: Actor,
    summary: str,
    outcome: Status = Status.COMPLETED,
    reason: str = "",
    lease_number: int | None = None,
    evidence: Sequence[Piece] = (),
    usage: Usage = UNKNOWN,
) -> Completion:
    """End a task as completed, needs_revision or blocked; the last two need a `reason`.

    A task that asks for review goes to in_review instead of completed. A pending task that is ready is claimed first.

    Raises Conflict where another session holds the task or its status does not allow it, NotReady while dependencies
    are open or a gate is not met, Invalid where the reason is missing.
    """
    if problems := ending_problems(summary, outcome, reason):
        raise invalid(problems, next="Fix these and retry.")
    with transaction.atomic(), events.together():
        return complete_locked(
            task=locked_with_graph(task), actor=actor, summary=summary, outcome=outcome, reason=reason,
            lease_number=lease_number, evidence=evidence, look=Look(), usage=usage,
        )  # fmt: skip


def complete_locked(
    *,
    task: Task,
    actor: Actor,
    summary: str,
    outcome: Status,
    reason: str,
    lease_number: int | None,
    evidence: Sequence[Piece] = (),
    look: Look | None = None,
    usage: Usage = UNKNOWN,
) -> Completion:
    """Do what `complete` does, in the caller's transaction, for a locked row and texts that were checked.

    `look` is what was seen of the project's files; without one, LookWanted is raised where gates ask for it.
    """
    task = _in_hand(task, actor, lease_number)
    move = partial(transitions.move, task, actor=actor, summary=summary, usage=usage)
    if evidence and outcome != Status.COMPLETED:
        keep_evidence(task=task, actor=actor, pieces=evidence, look=look or Look())
    if outcome == Status.BLOCKED:
        move(Verb.BLOCK, to=outcome, note={"reason": reason}, reason=reason)
    elif outcome == Status.NEEDS_REVISION:
        move(Verb.HAND_BACK, to=outcome, note={"comment": reason}, review_comment=reason)
    else:
        judged = gates.require_for_completion(task, actor, evidence, look) if task.gates or evidence else {}
        to = Status.IN_REVIEW if task.is_reviewed or judged.pop("waits", False) else Status.COMPLETED
        move(Verb.COMPLETE, to=to, note={"summary": summary, **judged}, reason="", review_comment="", answer="")
    tasks_changed.send(Task, tasks=[task], renamed=False)
    unblocked = became_ready([task])
    goes_on = any(each.parent_id == task.parent_id for each in unblocked)
    changed = rollup.settle(task, actor=actor, goes_on=goes_on)
    return Completion(task, changed, (unblocked + became_ready(changed))[:_NAMED])


def ending_problems(summary: str, outcome: Status, reason: str) -> list[dict[str, Any]]:
    """Return what is wrong with the texts of a completion, each with its place."""
    problems = check_texts({"summary": summary, "reason": reason})
    if not summary.strip():
        problems.append({"at": "summary", "problem": "say in a few sentences what was done"})
    if outcome != Status.COMPLETED and not reason.strip():
        problems.append({"at": "reason", "problem": f"is required for {outcome.value}"})
    if outcome == Status.COMPLETED and reason.strip():
        problems.append({"at": "reason", "problem": "is only for needs_revision and blocked"})
    return problems


def _in_hand(task: Task, actor: Actor, lease_number: int | None) -> Task:
    """Check that the actor holds the task; claim it where no one does."""
    leases.require_holder(task, actor, lease_number=lease_number)
    if task.status not in CLAIMABLE or not task.is_leaf:
        transitions.require(task, Verb.COMPLETE)
    abandoned = task.status == Status.ACTIVE and task.lease_is_over(timezone.now()) and lease_number is None
    if task.status in CLAIMABLE or (abandoned and not leases.is_holder(task, actor)):
        return claim(task=task, actor=actor).task
    return task


def became_ready(done: list[Task]) -> list[Task]:
    """Return leaves that became ready, now that these are completed: the best of the first few hundred."""
    return _ready_after(done=[task for task in done if task.status == Status.COMPLETED and task.frees])
