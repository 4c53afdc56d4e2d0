"""Which archived plans are beyond retention."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q

from maintenance.choices import Cause, Severity
from maintenance.found import Found
from maintenance.models import Tombstone
from maintenance.selectors.scope import Scope
from orchestrator_site.kernel.errors import NotFound
from tasks.choices import Status
from tasks.models import Dependency, Project, Task
from tasks.project_settings import setting

COMPLETED_DAYS, OTHER_DAYS = 365, 180
"""Days in the archive before a plan can be purged, where a project says nothing else."""


def days_of(project: Project, status: str) -> float:
    own = setting(project, "maintenance.purge_after_days")
    return float(own or (COMPLETED_DAYS if status == Status.COMPLETED else OTHER_DAYS))


def purgeable(scope: Scope, now: datetime) -> list[Found]:
    """Return the archived plans of a scope that can be purged, the longest archived first."""
    rows = scope.whole_plans().filter(archived_at__isnull=False).order_by("archived_at", "pk")
    on_board = Task.objects.on_board().filter(root=OuterRef("pk"))
    needed = Dependency.objects.filter(Q(depends_on=OuterRef("pk")) | Q(depends_on__root=OuterRef("pk")))
    needed = needed.exclude(task__root=OuterRef("pk")).exclude(task=OuterRef("pk"))
    due = [Q(status=status, archived_at__lte=now - timedelta(days=days_of(scope.project, status))) for status in Status]
    any_due = due[0]
    for each in due[1:]:
        any_due |= each
    found = rows.filter(any_due, ~Exists(on_board), ~Exists(needed))
    return [_found(plan, days_of(scope.project, plan.status), now) for plan in found]


def purged(project: Project, public_id: str) -> NotFound | None:
    """Return the error for a plan that was purged, naming the export to import; None where it was not."""
    tombstone = Tombstone.objects.filter(project=project, public_id=public_id, imported_at__isnull=True).first()
    if tombstone is None:
        return None
    return NotFound(
        f"{public_id} was purged on {tombstone.purged_at:%Y-%m-%d}.",
        next=f"Import its export first: {tombstone.export_name}.",
        details={"export": tombstone.export_name},
    )


def _found(plan: Any, days: float, now: datetime) -> Found:
    return Found(
        Cause.ARCHIVABLE,
        Severity.INFO,
        plan.public_id,
        plan.archived_at,
        title=plan.title,
        task_pk=plan.pk,
        evidence={"reason": "retention", "days": (now - plan.archived_at).days, "limit": days},
        proposal="purge",
        seen=f"{plan.status}:{plan.lease_number}",
    )
