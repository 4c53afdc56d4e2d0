"""What an assistant needs when it connects: what is in progress, what waits, what is next."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from tasks.choices import Status
from tasks.models import Project, Session, Task, TaskQuerySet
from tasks.selectors import counts

SHOWN = 5
"""Rows of each kind, beside the true totals: the answer is bounded on any board."""


@dataclass(frozen=True, slots=True)
class Standing:
    """An active task and its lease: `yours`, `free` (the holder is gone), or `held` by another session."""

    task: Task
    whose: str


@dataclass(frozen=True, slots=True)
class Rows:
    tasks: list[Task]
    total: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of a project as one session sees it."""

    counts: dict[str, int]
    active: list[Standing]
    needs_revision: Rows
    waits_for_a_person: Rows
    next_ready: Task | None


def overview(project: Project, session: Session | None, *, plan: Task | None = None) -> Overview:
    """Return the state of a project, or of one of its plans, as a session sees it; bounded at any size."""
    tasks = Task.objects.within(plan) if plan else Task.objects.filter(project=project)
    leaves = tasks.on_board().leaves()
    by_status = counts.by_status(leaves)
    return Overview(
        counts=by_status,
        active=_active(leaves, session) if by_status.get(Status.ACTIVE) else [],
        needs_revision=_rows(leaves, [Status.NEEDS_REVISION], by_status),
        waits_for_a_person=_rows(leaves, [Status.IN_REVIEW, Status.BLOCKED, Status.FAILED], by_status),
        next_ready=tasks.ready().first(),
    )


def _active(leaves: TaskQuerySet, session: Session | None) -> list[Standing]:
    """The session's own tasks first, then those without a holder, then those of others."""
    now = timezone.now()
    active = leaves.filter(status=Status.ACTIVE)
    own = active.filter(lease_session=session).order_by("id")[:SHOWN] if session else []
    mine = [Standing(task, "yours") for task in own]
    over = leaves.lease_over(now).exclude(pk__in=[standing.task.pk for standing in mine])
    free = [Standing(task, "free") for task in over.order_by("id")[: SHOWN - len(mine)]]
    known = [standing.task.pk for standing in (*mine, *free)]
    others = active.exclude(pk__in=known).order_by("id")[: SHOWN - len(known)]
    return [*mine, *free, *(Standing(task, "held") for task in others)]


def _rows(leaves: TaskQuerySet, statuses: list[Status], by_status: dict[str, int]) -> Rows:
    total = sum(by_status.get(status, 0) for status in statuses)
    if not total:
        return Rows([], 0)
    return Rows(list(leaves.filter(status__in=statuses).order_by("-updated_at")[:SHOWN]), total)
