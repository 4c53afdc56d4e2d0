"""What can be archived, and why: plans that are over, given up or quiet, and tasks that lost their parent."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from maintenance.choices import Cause, Severity
from maintenance.found import Found
from maintenance.selectors.scope import Scope
from tasks.choices import FINISHED, Status
from tasks.models import Dependency, Event, Project, Task
from tasks.selectors.descendants import descendants_of

AFTER_DAYS = {"completed": 90, "failed": 60, "stale": 30, "abandoned": 14, "orphaned": 7}
"""Days without an event after which each reason holds, where a project says nothing else."""
_STOPPED = {Status.FAILED, Status.BLOCKED}
_FIELDS = ("public_id", "title", "status", "is_leaf", "root", "lease_number", "active_at")
_CHUNK = 10_000
_OPEN = sorted(set(Status) - set(FINISHED))
_WAITS = Q(task__archived_at__isnull=True, task__status__in=_OPEN)


def limits_of(project: Project) -> dict[str, float]:
    own = project.settings.get("maintenance", {}).get("archive_after_days", {})
    return {**AFTER_DAYS, **own}


def archivable(scope: Scope, now: datetime) -> list[Found]:
    """Return the plans and the single tasks of a scope that can be archived, the longest quiet first.

    What is held, waits for a review, or has something unfinished that others wait for is not among them.
    """
    limits = limits_of(scope.project)
    plans = _quiet(scope.whole_plans(), now - timedelta(days=min(limits.values())))
    leaves, sizes = _counted(plans)
    reasons = {plan.pk: _reason(plan, leaves[plan.pk]) for plan in plans}
    due = [plan for plan in plans if reasons[plan.pk] and _days(plan, now) >= limits[reasons[plan.pk]]]
    held = _held(scope.project, now)
    kept = held | _needed([plan.pk for plan in due])
    found: dict[int, Found] = {}
    for plan in due:
        if plan.pk not in kept:
            found[plan.pk] = _found(plan, reasons[plan.pk], limits[reasons[plan.pk]], now, sizes[plan.pk])
    for task in _orphans(scope, now - timedelta(days=limits["orphaned"])):
        is_due = _days(task, now) >= limits["orphaned"]
        if is_due and task.plan_id not in found and task.plan_id not in held:
            found[task.pk] = _found(task, "orphaned", limits["orphaned"], now, 1 + len(descendants_of([task.pk])))
    return sorted(found.values(), key=lambda each: (each.since, each.subject))


def _quiet(tasks: QuerySet[Any], since: datetime) -> list[Any]:
    """Return the tasks on the board that have been quiet, with `last_event` and `quiet_since` of each tree."""
    own = Event.objects.filter(task=OuterRef("pk")).order_by().values("task")
    below = Event.objects.filter(task__root=OuterRef("pk")).order_by().values("task__root")
    newest = (Subquery(events.annotate(newest=Max("pk")).values("newest")) for events in (own, below))
    rows = tasks.filter(archived_at__isnull=True, active_at__lte=since).order_by().only(*_FIELDS)
    found = list(rows.annotate(**dict(zip(("own", "below"), newest, strict=True))))
    for task in found:
        task.last_event = max(task.own or 0, task.below or 0) or None
    times = Event.objects.order_by().only("created_at").in_bulk([t.last_event for t in found if t.last_event])
    for task in found:
        event = times.get(task.last_event)
        task.quiet_since = max(task.active_at, event.created_at) if event else task.active_at
    return found


def _reason(plan: Task, leaves: Counter[str]) -> str:
    """Return why a quiet plan can be archived; empty where it cannot, as while a review waits."""
    open_ = {status for status in leaves if status not in FINISHED}
    if plan.status in FINISHED:
        over = "completed" if plan.status == Status.COMPLETED else "abandoned"
        return "" if open_ else over
    if Status.IN_REVIEW in (*open_, plan.status):
        return ""
    return "failed" if Status.FAILED in open_ and open_ <= _STOPPED else "stale"


def _counted(plans: list[Any]) -> tuple[dict[int, Counter[str]], Counter[int]]:
    """Count the leaves of plans by status, and all of their tasks."""
    leaves: dict[int, Counter[str]] = defaultdict(Counter)
    sizes: Counter[int] = Counter({plan.pk: 1 for plan in plans})
    for plan in plans:
        if plan.is_leaf:
            leaves[plan.pk][plan.status] = 1
    keys = [plan.pk for plan in plans]
    for start in range(0, len(keys), _CHUNK):
        rows = Task.objects.on_board().filter(root__in=keys[start : start + _CHUNK]).order_by()
        for root, is_leaf, status, number in rows.values_list("root", "is_leaf", "status").annotate(Count("pk")):
            sizes[root] += number
            if is_leaf:
                leaves[root][status] += number
    return leaves, sizes


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


def _orphans(scope: Scope, since: datetime) -> list[Any]:
    """Return quiet unfinished tasks on the board whose parent is over or archived, if nothing else waits for them."""
    lost = Q(parent__status__in=FINISHED) | Q(parent__archived_at__isnull=False)
    rows = scope.tasks().filter(lost, parent__isnull=False, status__in=_OPEN).exclude(status=Status.IN_REVIEW)
    return _quiet(rows.exclude(Exists(Dependency.objects.filter(_WAITS, depends_on=OuterRef("pk")))), since)


def _days(task: Any, now: datetime) -> float:
    return float((now - task.quiet_since) / timedelta(days=1))


def _found(task: Any, reason: str, limit: float, now: datetime, size: int) -> Found:
    days = int(_days(task, now))
    return Found(
        Cause.ARCHIVABLE,
        Severity.INFO,
        task.public_id,
        task.quiet_since,
        title=task.title,
        task_pk=task.pk,
        evidence={"reason": reason, "days": days, "limit": limit, "tasks": size, "last_event": task.last_event},
        proposal="archive",
        seen=f"{task.status}:{task.lease_number}",
    )
