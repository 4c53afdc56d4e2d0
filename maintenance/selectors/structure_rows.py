"""Checks of the structure that the database answers, most of them from an index."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, F, Max, OuterRef, Q

from artifacts.models import Artifact, SearchBacklog
from maintenance.choices import Level
from maintenance.selectors.hits import Asked, Hit
from tasks.choices import CLAIMABLE, FINISHED, Status, Verb
from tasks.models import Dependency, Event, Evidence, Task, TaskQuerySet, Waiver
from tasks.selectors.resources import WAITS_FOR_ONE
from tasks.state_machine import UNFINISHED

SKEW = timedelta(minutes=5)
"""How far clocks of several servers may differ, and how old what a job does each minute may be."""
_OPEN = list(UNFINISHED)
_NOT_STARTED = (Status.PENDING, Status.BLOCKED, Status.CANCELLED)


def active_without_lease(asked: Asked) -> list[Hit]:
    """Find active leaves that no session holds, or whose lease ended before the job that frees them last ran."""
    active = asked.tasks.on_board().leaves().filter(status=Status.ACTIVE)
    is_over = Q(lease_expires_at__lte=asked.now - SKEW)
    rows = active.filter(is_over | Q(lease_session__isnull=True, lease_holder=""))
    return [
        Hit(pk, evidence={"lease_number": number, "lease_ended_at": _text(ends)}, is_repairable=ends <= asked.now)
        for pk, number, ends in rows.values_list("pk", "lease_number", "lease_expires_at")
        if ends is not None  # no active leaf is without one
    ]


def _text(time: datetime) -> str:
    return time.isoformat(timespec="seconds")


def wrong_ready_marks(asked: Asked) -> list[Hit]:
    """Find tasks that are marked ready but wait; from `comprehensive` on, also those that wait for nothing."""
    is_held_up = Exists(Dependency.objects.open().filter(task=OuterRef("pk"))) | WAITS_FOR_ONE
    waits = Q(not_before__isnull=False) | Q(is_held_up)
    rows = list(asked.tasks.filter(waits, is_ready=True).values_list("pk", flat=True))
    hits = [Hit(pk, evidence={"is_ready": True}) for pk in rows]
    if asked.level == Level.BASIC:
        return hits
    claimable = asked.tasks.on_board().leaves().filter(status__in=CLAIMABLE, is_ready=False)
    missed = claimable.filter(~waits, ~Exists(Task.objects.filter(parent=OuterRef("pk"))))
    return hits + [Hit(pk, evidence={"is_ready": False}) for pk in missed.values_list("pk", flat=True)]


def wrong_group_states(asked: Asked) -> list[Hit]:
    """Find groups that do not follow their subtasks as tasks/services/rollup.py lets them."""
    rows = not_following(asked.tasks, completely=asked.level != Level.BASIC).values_list("pk", "status")
    return [Hit(pk, evidence={"status": status}) for pk, status in rows]


def not_following(tasks: TaskQuerySet, *, completely: bool = True) -> TaskQuerySet:
    """Return those groups of some tasks that do not follow their subtasks.

    Unless `completely`, groups that have not started with a subtask are left out: they look as they were planned.
    """
    children = Task.objects.filter(parent=OuterRef("pk"))
    shown = children.on_board()
    # What is excluded is read from the few entries of a group; what is included would be looked up one by one.
    goes_on = Exists(shown.exclude(status__in=FINISHED))
    has_result = Q(Exists(shown.filter(status=Status.COMPLETED)))
    all_cancelled = Q(Exists(shown)) & ~Q(Exists(children.exclude(status=Status.CANCELLED)))
    ended = Q(status__in=[*CLAIMABLE, Status.ACTIVE]) & has_result | all_cancelled
    wrong = Q(status__in=[*FINISHED, Status.IN_REVIEW]) & Q(goes_on) | Q(status__in=_OPEN) & ~Q(goes_on) & ended
    if completely:
        wrong |= Q(status__in=CLAIMABLE) & Q(Exists(shown.exclude(status__in=_NOT_STARTED)))
    return tasks.on_board().filter(wrong, is_leaf__in=[False])


def waits_for_archived(asked: Asked) -> list[Hit]:
    """Find unfinished tasks that wait for one which was archived before it was completed."""
    archived = Task.objects.filter(project=asked.scope.project, archived_at__isnull=False, is_leaf__in=[True, False])
    stopped = list(archived.exclude(status=Status.COMPLETED).order_by().values_list("pk", flat=True))
    rows = Dependency.objects.filter(task__project=asked.scope.project, task__archived_at__isnull=True)
    waiting = rows.filter(depends_on__in=stopped, task__status__in=_OPEN, inherited_from__isnull=True)
    return asked.in_scope(Hit(task, other=need) for task, need in waiting.values_list("task_id", "depends_on_id"))


def future_times(asked: Asked) -> list[Hit]:
    """Find tasks that changed in the future; from `comprehensive` on, every time of a task is looked at."""
    latest = asked.now + SKEW
    late = Q(updated_at__gt=latest)
    if asked.level != Level.BASIC:
        for name in ("created_at", "active_at", "started_at", "completed_at", "archived_at"):
            late |= Q(**{f"{name}__gt": latest})
    rows = asked.tasks.filter(late, status__in=Status.values).values_list("pk", "updated_at")
    return [Hit(pk, evidence={"updated_at": _text(time)}) for pk, time in rows]


def index_backlog(asked: Asked) -> list[Hit]:
    """Find what waited for the search index longer than the job that does it takes."""
    if not SearchBacklog.objects.exists():
        return []
    old = asked.now - SKEW
    tasks = asked.tasks.filter(updated_at__lt=old, pk__in=_owners(0)).values_list("pk", flat=True)
    artifacts = _artifacts(asked).filter(updated_at__lt=old, pk__in=_owners(1)).values_list("task_id", "public_id")
    return [Hit(pk) for pk in tasks] + [Hit(task, subject=public_id) for task, public_id in artifacts]


def _owners(remainder: int) -> Any:
    owners = SearchBacklog.objects.order_by().annotate(kind=F("owner") % 2, key=F("owner") / 2)
    return owners.filter(kind=remainder).values("key")


def wrong_versions(asked: Asked) -> list[Hit]:
    """Find artifacts whose versions are not 1, 2, 3 … up to the number that the artifact names."""
    counted = _artifacts(asked).annotate(number=Count("versions"), latest=Max("versions__number"))
    rows = counted.exclude(number=F("version"), latest=F("version"))
    return [
        Hit(task, subject=public_id, evidence={"version": version, "versions": number, "latest": latest or 0})
        for task, public_id, version, number, latest in rows.values_list(
            "task_id", "public_id", "version", "number", "latest"
        )
    ]


def reviews_without_delivery(asked: Asked) -> list[Hit]:
    delivered = Artifact.objects.filter(task=OuterRef("pk"))
    rows = asked.tasks.on_board().leaves().filter(~Exists(delivered), status=Status.IN_REVIEW, summary="")
    return [Hit(pk) for pk in rows.values_list("pk", flat=True)]


def completed_without_summary(asked: Asked) -> list[Hit]:
    delivered = Artifact.objects.filter(task=OuterRef("pk"))
    rows = asked.tasks.leaves().filter(~Exists(delivered), status=Status.COMPLETED, summary="")
    return [Hit(pk) for pk in rows.values_list("pk", flat=True)]


def completed_without_evidence(asked: Asked) -> list[Hit]:
    """Find completed tasks with gates for which nothing speaks: no evidence, no waiver and no approval."""
    approved = Event.objects.filter(task=OuterRef("pk"), verb=Verb.APPROVE)
    gated = asked.tasks.exclude(gates=[]).filter(~Exists(approved), status=Status.COMPLETED)
    nothing = [~Exists(model._default_manager.filter(task=OuterRef("pk"))) for model in (Evidence, Waiver)]
    return [Hit(pk) for pk in gated.filter(*nothing).values_list("pk", flat=True)]


def _artifacts(asked: Asked) -> Any:
    artifacts = Artifact.objects.filter(project=asked.scope.project).order_by("pk")
    return artifacts if asked.scope.is_everything else artifacts.filter(task__in=asked.scope.tasks().order_by())
