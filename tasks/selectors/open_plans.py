"""The open plans of a project, the last active first: a fresh context finds its plan here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Func, IntegerField, OuterRef, Q, QuerySet, Subquery

from orchestrator_site.kernel.compiled import Compiled
from tasks.choices import CLAIMABLE, Priority, Status
from tasks.models import Project, Task
from tasks.selectors.rows import Counts
from tasks.state_machine import UNFINISHED

SHOWN = 5
_OPEN = [status for status in Status if status in UNFINISHED]
_EVER = datetime(1, 1, 1, tzinfo=UTC)
_LEAVES = {f"n_{status.value}": status for status in Status}


@dataclass(frozen=True, slots=True)
class OpenPlan:
    """A plan with its progress, and what it waits for: how many of its tasks are ready, active, in review …"""

    plan: Task
    counts: Counts
    ready: int
    deferred: int = 0

    @property
    def waits_for(self) -> dict[str, int]:
        by_status = self.counts.by_status
        shown = {
            "ready": self.ready,
            "deferred": self.deferred,
            **{s.value: by_status.get(s, 0) for s in _OPEN if s not in CLAIMABLE},
        }
        waits = {name: number for name, number in shown.items() if number}
        if waits:
            return waits
        if held_up := sum(by_status.get(status, 0) for status in CLAIMABLE):
            return {"dependencies": held_up}
        return {self.plan.status: 1}  # every part is finished, so it waits for its own review


@dataclass(frozen=True, slots=True)
class OpenPlans:
    plans: list[OpenPlan]
    total: int


def open_plans(project: Project) -> OpenPlans:
    """Return the last active open plans, by one statement, at most `SHOWN` of them."""
    rows: list[Any] = _last_active(project=project)
    return OpenPlans(list(map(_with_counts, rows)), rows[0].plans_total if rows else 0)


def last_finished(project: Project) -> Task | None:
    return _last_finished.first(project=project)


def _with_counts(plan: Any) -> OpenPlan:
    by_status = {status.value: number for name, status in _LEAVES.items() if (number := getattr(plan, name))}
    if plan.is_leaf:  # it is its own only part
        is_deferred = plan.status in CLAIMABLE and plan.not_before is not None
        return OpenPlan(plan, Counts({plan.status: 1}), int(plan.is_ready), int(is_deferred))
    return OpenPlan(plan, Counts(by_status), plan.n_ready, plan.n_deferred)


def _open(project: Any) -> QuerySet[Task]:
    return Task.objects.on_board().plans().filter(project=project)


def _build(project: Any) -> QuerySet[Any]:
    # The index yields the last active plans of one status, so few are compared with those of others.
    last = [_open(project).filter(status=status).order_by("-active_at").values("pk")[:SHOWN] for status in _OPEN]
    plans = Task.objects.filter(reduce(or_, (Q(pk__in=each) for each in last))).order_by("-active_at", "-pk")
    leaves = Task.objects.on_board().leaves().filter(root=OuterRef("pk"))
    numbers = {name: _number_of(leaves.filter(status=status)) for name, status in _LEAVES.items()}
    # The priority is there for SQLite, which would read every row of a plan instead of its index of ready tasks.
    ready = _number_of(Task.objects.filter(root=OuterRef("pk"), is_ready=True, priority__gte=min(Priority)))
    # The project and the time are there for it too, so that it reads the index of what is deferred.
    deferred = leaves.filter(project=project, not_before__gt=_EVER, status__in=CLAIMABLE)
    total = _number_of(_open(project).filter(status__in=_OPEN))
    columns = ("public_id", "title", "status", "specialist", "is_leaf", "is_ready", "not_before")
    numbers |= {"n_ready": ready, "n_deferred": _number_of(deferred), "plans_total": total}
    return plans.only(*columns).annotate(**numbers)[:SHOWN]


def _number_of(tasks: QuerySet[Task]) -> Subquery:
    counted = tasks.order_by().annotate(number=Func("pk", function="COUNT", output_field=IntegerField()))
    return Subquery(counted.values("number"))


_last_active = Compiled(_build)
_last_finished = Compiled(
    lambda project: _open(project).filter(status=Status.COMPLETED).order_by("-active_at").only("public_id")[:1]
)
