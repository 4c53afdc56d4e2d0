"""What an assistant needs when it connects: what is in progress, what waits, what is next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from orchestrator_site.kernel.compiled import Compiled
from tasks.choices import Status
from tasks.models import Project, Session, Task, TaskQuerySet
from tasks.selectors import counts
from tasks.selectors.next_task import first_of_plan, first_of_project
from tasks.selectors.open_plans import OpenPlans, last_finished, open_plans

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
    counts: dict[str, int]
    active: list[Standing]
    needs_revision: Rows
    waits_for_a_person: Rows
    next_ready: Task | None
    plans: OpenPlans | None = None
    """The open ones of a project; None where this is about one plan."""
    last_finished: Task | None = None
    """The plan that was completed last, where none is open."""


class _Queries:
    """What is asked about a project, or about a plan: the tasks whose `column` is the `key`."""

    def __init__(self, column: str) -> None:
        def leaves(key: Any) -> TaskQuerySet:
            return Task.objects.on_board().leaves().filter(**{column: key})

        self.own = Compiled(
            lambda key, session: leaves(key).filter(status=Status.ACTIVE, lease_session=session).order_by("id")[:SHOWN]
        )
        self.over = Compiled(
            lambda key, now, known: leaves(key).lease_over(now).exclude(pk__in=known).order_by("id")[:SHOWN]
        )
        self.others = Compiled(
            lambda key, known: leaves(key).filter(status=Status.ACTIVE).exclude(pk__in=known).order_by("id")[:SHOWN]
        )
        self.latest = Compiled(
            lambda key, statuses: leaves(key).filter(status__in=statuses).order_by("-updated_at")[:SHOWN]
        )


_OF_PROJECT, _OF_PLAN = _Queries("project"), _Queries("root")


def overview(project: Project, session: Session | None, *, plan: Task | None = None) -> Overview:
    """Return the state of a project, or of one of its plans, as a session sees it; bounded at any size."""
    queries, key = (_OF_PLAN, plan.plan_id) if plan else (_OF_PROJECT, project.pk)
    by_status = counts.of_tree(key) if plan else counts.of_project(project)
    plans = None if plan else open_plans(project)
    return Overview(
        counts=by_status,
        active=_active(queries, key, session, min(SHOWN, by_status.get(Status.ACTIVE, 0))),
        needs_revision=_rows(queries, key, [Status.NEEDS_REVISION], by_status),
        waits_for_a_person=_rows(queries, key, [Status.IN_REVIEW, Status.BLOCKED, Status.FAILED], by_status),
        next_ready=(first_of_plan if plan else first_of_project)(key, session),
        plans=plans,
        last_finished=last_finished(project) if plans and not plans.total else None,
    )


def _active(queries: _Queries, key: int, session: Session | None, wanted: int) -> list[Standing]:
    """The session's own tasks first, then those without a holder, then those of others; no more than `wanted`."""
    found = [
        Standing(task, "yours")
        for task in (queries.own(key=key, session=session) if wanted and session and session.pk else [])
    ]
    if len(found) < wanted:
        over = queries.over(key=key, now=timezone.now(), known=[each.task.pk for each in found])
        found += [Standing(task, "free") for task in over]
    if len(found) < wanted:
        others = queries.others(key=key, known=[each.task.pk for each in found])
        found += [Standing(task, "held") for task in others]
    return found[:wanted]


def _rows(queries: _Queries, key: int, statuses: list[Status], by_status: dict[str, int]) -> Rows:
    total = sum(by_status.get(status, 0) for status in statuses)
    return Rows(queries.latest(key=key, statuses=statuses) if total else [], total)
