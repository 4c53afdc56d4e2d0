"""Purge an archived plan: export it, read that back, then delete its rows in one transaction that checks them again."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from artifacts.models import Artifact, ArtifactPath, ArtifactVersion, ReviewComment, SearchDocument, Upload, UploadState
from maintenance.exports import zipped
from maintenance.exports.rows import fingerprint, rows_of
from maintenance.exports.zipped import Export
from maintenance.models import Finding, Tombstone
from maintenance.selectors.purgeable import days_of
from maintenance.services.switches import require_on
from orchestrator_site.kernel.errors import Conflict, Forbidden, Hint
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.signals import tasks_purged
from tasks import events
from tasks.choices import Verb
from tasks.identity.actor import Actor
from tasks.models import (
    Attempt,
    Dependency,
    Event,
    Evidence,
    Note,
    Project,
    ResourceHold,
    ResourceNeed,
    Task,
    Waiver,
)
from tasks.project_settings import ACT, setting
from tasks.services import dependencies
from tasks.services.claim import Guard

logger = logging.getLogger(__name__)

KEPT = (Verb.ARCHIVE, Verb.RESTORE, Verb.PURGE, Verb.IMPORT)
"""The events that outlive their plan; they name the task in `after`."""


def purge(*, task: Task, actor: Actor, confirmed: bool = False, guard: Guard | None = None) -> Tombstone:
    """Delete a plan that was archived long ago. Its export stays, and can be imported.

    `confirmed`: an administrator asked for this plan; else purging must be set to act.

    Raises Forbidden for an actor that may not, Conflict where purging is off, and where the plan is not archived for
    long enough, is needed by other tasks or changes in between, Unavailable or Transient where the disk refuses; then
    nothing is deleted.
    """
    actor.require(Scope.ADMIN)
    require_on(task.project, "maintenance.purge")
    if not confirmed and setting(task.project, "maintenance.purge") != ACT:
        raise Forbidden(
            f"The project {task.project.slug} purges nothing by itself.",
            next="An administrator confirms it for this plan, or sets maintenance.purge to act in its settings.",
        )
    _require_purgeable(task)
    seen = fingerprint(task)
    export = zipped.write(task)
    with transaction.atomic():
        tombstone = _delete(task, actor, export, seen, guard)
    _tidy(task, export)
    return tombstone


def export_of(project: Project, public_id: str) -> Path:
    """Return the export of a purged plan. Raises Conflict where it was not purged, or was imported again."""
    tombstone = Tombstone.objects.filter(project=project, public_id=public_id, imported_at=None).first()
    if tombstone is None:
        raise Conflict(f"{public_id} was not purged, or was imported again.")
    return Export(tombstone.export_name, tombstone.export_sha256).path


def _delete(task: Task, actor: Actor, export: Export, seen: list[Any], guard: Guard | None) -> Tombstone:
    dependencies.lock_graph(task.project_id)
    found = Task.objects.select_for_update(of=("self",)).select_related("project").filter(pk=task.pk).first()
    if found is None:
        raise Conflict(f"{task.public_id} was purged at the same time.")
    if guard is not None:
        guard(found)
    _require_purgeable(found)
    if fingerprint(found) != seen:
        raise Conflict(f"{task.public_id} changed while it was exported.", next="Purge it again, if you still want to.")
    number = rows_of(found, "tasks").count()
    _delete_rows(found)
    after = {"task_id": found.public_id, "tasks": number, "export": export.name, "sha256": export.sha256}
    events.record(actor=actor, verb=Verb.PURGE, project=found.project_id, after=after)
    return Tombstone.objects.create(
        project=found.project,
        public_id=found.public_id,
        title=found.title,
        tasks=number,
        export_name=export.name,
        export_sha256=export.sha256,
        actor_name=actor.name,
    )


def _require_purgeable(plan: Task) -> None:
    """Check the plan's rows. Raises Conflict, saying what keeps them."""
    if not plan.is_plan:
        raise Conflict(f"{plan.public_id} is part of a plan: only whole plans are purged.", hint=Hint.SEE_TASK)
    if plan.archived_at is None:
        raise Conflict(f"{plan.public_id} is not archived.", next="Archive it first.")
    days = days_of(plan.project, plan.status)
    if timezone.now() - plan.archived_at < timedelta(days=days):
        raise Conflict(
            f"{plan.public_id} has to be archived for {days:g} days first.",
            details={"archived_at": plan.archived_at.isoformat(timespec="seconds"), "days": days},
        )
    tree = rows_of(plan, "tasks")
    if loose := tree.filter(archived_at__isnull=True).first():
        raise Conflict(f"{loose.public_id} in it is on the board.", next=f"Archive {loose.public_id} first.")
    if edge := rows_needing(plan).first():
        raise Conflict(
            f"{edge.task.public_id} depends on {edge.depends_on.public_id} in it.",
            next=f"Purge {(edge.task.root or edge.task).public_id} first, or remove the dependency.",
            hint=Hint.REMOVE_DEPENDENCY,
        )
    if upload := Upload.objects.filter(task__in=tree.order_by().values("pk"), state=UploadState.OPEN).first():
        raise Conflict(f"{upload.public_id} for it has not ended.", next="Commit or abort it first.")


def rows_needing(plan: Task) -> Any:
    """Return the dependencies of tasks elsewhere on tasks of the plan."""
    tree = rows_of(plan, "tasks").order_by().values("pk")
    edges = Dependency.objects.filter(depends_on__in=tree).exclude(task__in=tree)
    return edges.select_related("task__root", "depends_on").order_by("pk")


def _delete_rows(plan: Task) -> None:
    """Delete what belongs to the plan, from the outside in.

    Nothing is deleted with another: a table that neither this list nor a receiver has makes the database refuse.
    """
    tree = rows_of(plan, "tasks").order_by()
    keys = tree.values("pk")
    tasks_purged.send(Task, keys=keys)
    Event.objects.filter(task__in=keys, verb__in=KEPT).update(task=None)
    for rows in (
        SearchDocument.objects.filter(task__in=keys),
        ReviewComment.objects.filter(task__in=keys),
        Upload.objects.filter(task__in=keys),
        ArtifactPath.objects.filter(artifact__task__in=keys),
        ArtifactVersion.objects.filter(artifact__task__in=keys),
        Artifact.objects.filter(task__in=keys),
        Note.objects.filter(task__in=keys),
        Evidence.objects.filter(task__in=keys),
        Waiver.objects.filter(task__in=keys),
        Event.objects.filter(task__in=keys),
        Finding.objects.filter(task__in=keys),
        Attempt.objects.filter(task__in=keys),
        ResourceNeed.objects.filter(task__in=keys),
        ResourceHold.objects.filter(task__in=keys),
        Dependency.objects.filter(task__in=keys),
        tree,
    ):
        rows.order_by()._raw_delete(rows.db)


def _tidy(task: Task, export: Export) -> None:
    named = Tombstone.objects.filter(project=task.project_id, public_id=task.public_id)
    try:
        zipped.forget_leftovers(
            task.project, task.public_id, keep={export.name, *named.values_list("export_name", flat=True)}
        )
    except OSError as error:
        logger.warning("Earlier exports of %s could not be removed: %s", task.public_id, error)
