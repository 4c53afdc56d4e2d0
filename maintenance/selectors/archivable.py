"""What can be archived, and why: plans that are over, given up or quiet, and tasks that lost their parent."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from maintenance.choices import Cause, Severity
from maintenance.found import Found
from maintenance.selectors.scope import Scope
from tasks.choices import FINISHED, Status
from tasks.models import Dependency, Event, Project, Task
from tasks.project_settings import OFF, setting
from tasks.selectors.descendants import descendants_of

_STOPPED = {Status.FAILED, Status.BLOCKED}
_FIELDS = ("pk", "root_id", "public_id", "title", "status", "is_leaf", "lease_number")
_CHUNK = 10_000
_OPEN = sorted(set(Status) - set(FINISHED))
_WAITS = Q(task__archived_at__isnull=True, task__status__in=_OPEN)


def limits_of(project: Project) -> dict[str, float]:
    limits: dict[str, float] = setting(project, "maintenance.archive_after_days")
    return limits


class _Quiet(NamedTuple):
    """A task that has been quiet `since`; `last_event` is the newest of its tree."""

    pk: int
    root: int | None
    public_id: str
    title: str
    status: str
    is_leaf: bool
    lease_number: int
    last_event: int | None
    since: datetime


def archivable(scope: Scope, now: datetime) -> list[Found]:
    """Return the plans and the single tasks of a scope that can be archived, the longest quiet first.

    What is held, waits for a review, or has something unfinished that others wait for is not among them. Where a
    project switches archiving off, there is none.
    """
    if setting(scope.project, "maintenance.archive") == OFF:
        return []
    limits = limits_of(scope.project)
    plans = _quiet(scope.whole_plans(), now - timedelta(days=min(limits.values())))
    tasks = _counted(plans)
    reasons = {plan.pk: _reason(plan, {status for is_leaf, status in tasks[plan.pk] if is_leaf}) for plan in plans}
    due = [plan for plan in plans if reasons[plan.pk] and _days(plan, now) >= limits[reasons[plan.pk]]]
    held = _held(scope.project, now)
    kept = held | _needed([plan.pk for plan in due if any(status in _OPEN for _, status in tasks[plan.pk])])
    found: dict[int, Found] = {}
    for plan in due:
        if plan.pk not in kept:
            reason = reasons[plan.pk]
            found[plan.pk] = _found(plan, reason, limits[reason], now, tasks[plan.pk].total())
    for task in _orphans(scope, now - timedelta(days=limits["orphaned"])):
        is_due, plan_id = _days(task, now) >= limits["orphaned"], task.root or task.pk
        if is_due and plan_id not in found and plan_id not in held:
            found[task.pk] = _found(task, "orphaned", limits["orphaned"], now, 1 + len(descendants_of([task.pk])))
    return sorted(found.values(), key=lambda each: (each.since, each.subject))


def _quiet(tasks: QuerySet[Any], since: datetime) -> list[_Quiet]:
    """Return the tasks on the board that have been quiet."""
    own = Event.objects.filter(task=OuterRef("pk")).order_by().values("task")
    below = Event.objects.filter(task__root=OuterRef("pk")).order_by().values("task__root")
    newest = (Subquery(events.annotate(newest=Max("pk")).values("newest")) for events in (own, below))
    rows = tasks.filter(archived_at__isnull=True, active_at__lte=since).order_by()
    read = list(rows.values_list(*_FIELDS, "active_at", *newest))
    last = [max(own or 0, below or 0) for *_, own, below in read]
    times = Event.objects.order_by().only("created_at").in_bulk([key for key in last if key])
    return [
        _Quiet._make([*row, key or None, max(active_at, times[key].created_at) if key in times else active_at])
        for (*row, active_at, _, _), key in zip(read, last, strict=True)
    ]


def _reason(plan: _Quiet, leaves: set[str]) -> str:
    """Return why a quiet plan with leaves in these states can be archived; empty where it cannot."""
    open_ = leaves - set(FINISHED)
    if plan.status in FINISHED:
        over = "completed" if plan.status == Status.COMPLETED else "abandoned"
        return "" if open_ else over
    if Status.IN_REVIEW in (*open_, plan.status):
        return ""
    return "failed" if Status.FAILED in open_ and open_ <= _STOPPED else "stale"


def _counted(plans: list[_Quiet]) -> dict[int, Counter[tuple[bool, str]]]:
    """Count the tasks of plans, and the plans themselves, by whether they are leaves and by status."""
    tasks = {plan.pk: Counter([(plan.is_leaf, plan.status)]) for plan in plans}
    keys = list(tasks)
    for start in range(0, len(keys), _CHUNK):
        rows = Task.objects.on_board().filter(root__in=keys[start : start + _CHUNK]).order_by()
        for root, is_leaf, status, number in rows.values_list("root", "is_leaf", "status").annotate(Count("pk")):
            tasks[root][is_leaf, status] += number
    return tasks


def _held(project: Project, now: datetime) -> set[int]:
    """Return the plans in which someone holds a lease."""
    active = Task.objects.filter(project=project, status=Status.ACTIVE, lease_expires_at__gt=now).on_board().leaves()
    return {root or pk for pk, root in active.order_by().values_list("pk", "root")}


def _needed(plans: list[int]) -> set[int]:
    """Return those plans in which something is unfinished that an unfinished task of another plan waits for."""
    needed: set[int] = set()
    for start in range(0, len(plans), _CHUNK):
        some = plans[start : start + _CHUNK]
        unfinished = Task.objects.filter(Q(pk__in=some) | Q(root__in=some), status__in=_OPEN).order_by()
        plan, other = Coalesce("depends_on__root", "depends_on"), Coalesce("task__root", "task")
        edges = Dependency.objects.filter(_WAITS, depends_on__in=unfinished.values("pk"))
        across = edges.annotate(plan=plan, other=other).exclude(plan=F("other"))
        needed.update(across.order_by().values_list("plan", flat=True).distinct())
    return needed


def _orphans(scope: Scope, since: datetime) -> list[_Quiet]:
    """Return quiet unfinished tasks on the board whose parent is over or archived, if nothing else waits for them."""
    lost = Q(parent__status__in=FINISHED) | Q(parent__archived_at__isnull=False)
    rows = scope.tasks().filter(lost, parent__isnull=False, status__in=_OPEN).exclude(status=Status.IN_REVIEW)
    return _quiet(rows.exclude(Exists(Dependency.objects.filter(_WAITS, depends_on=OuterRef("pk")))), since)


def _days(task: _Quiet, now: datetime) -> float:
    return float((now - task.since) / timedelta(days=1))


def _found(task: _Quiet, reason: str, limit: float, now: datetime, size: int) -> Found:
    days = int(_days(task, now))
    return Found(
        Cause.ARCHIVABLE,
        Severity.INFO,
        task.public_id,
        task.since,
        title=task.title,
        task_pk=task.pk,
        evidence={"reason": reason, "days": days, "limit": limit, "tasks": size, "last_event": task.last_event},
        proposal="archive",
        seen=f"{task.status}:{task.lease_number}",
    )
