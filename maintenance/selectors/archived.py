"""The archive of a project: what was archived, why and by whom, and what is left of purged plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from maintenance.choices import Cause, Severity
from maintenance.found import Found
from maintenance.models import Tombstone
from maintenance.selectors.scope import Scope
from tasks.choices import Verb
from tasks.models import Event, Project, Task, TaskQuerySet
from tasks.selectors.rows import ROW_FIELDS, Rows, page_of

PER_PAGE = 25
IS_TOP = Q(parent__isnull=True) | Q(parent__archived_at__isnull=True)
"""Archived by itself: a plan, or a task whose parent is still on the board."""


@dataclass(frozen=True, slots=True)
class Archived:
    """An archived task, with the reason that was given and who archived it."""

    task: Task
    reason: str
    actor: str


def tops(project: Project) -> TaskQuerySet:
    return Task.objects.filter(IS_TOP, project=project, archived_at__isnull=False)


def to_restore(scope: Scope) -> list[Found]:
    """Return what can be restored in a scope, the last archived first."""
    rows = scope.tasks().filter(IS_TOP, archived_at__isnull=False).order_by("-archived_at", "pk")
    return [
        Found(
            Cause.ARCHIVABLE, Severity.INFO, task.public_id, task.archived_at, task.title, task.pk,
            {"archived_at": task.archived_at.isoformat(timespec="seconds")}, proposal="restore",
        )
        for task in rows.only("public_id", "title", "archived_at")
        if task.archived_at is not None
    ]  # fmt: skip


def listed(project: Project, *, q: str, matches: Sequence[int], page: int) -> Rows[Archived]:
    """Return a page of the archive, the newest first; for a search all tasks that match, also those below others."""
    rows = tops(project)
    if q:
        found = Q(pk__in=matches) | Q(public_id__startswith=q)
        rows = Task.objects.filter(found, project=project, archived_at__isnull=False)
    tasks = rows.select_related("root").only(*ROW_FIELDS, "root__public_id", "root__title")
    found_rows = page_of(tasks.order_by("-archived_at", "-id"), page=page, size=PER_PAGE)
    return Rows(explained(found_rows.items), found_rows.page, found_rows.first, found_rows.has_next, found_rows.total)


def explained(tasks: Sequence[Task]) -> list[Archived]:
    """Add the newest event that archived each task; of a task below an archived one, that of its plan."""
    keys = {task.pk for task in tasks} | {task.plan_id for task in tasks}
    events = Event.objects.filter(task__in=keys, verb=Verb.ARCHIVE).order_by("id")
    newest = {event.task_id: event for event in events}
    return [_explained(task, newest.get(task.pk) or newest.get(task.plan_id)) for task in tasks]


def _explained(task: Task, event: Event | None) -> Archived:
    return Archived(task, str(event.after.get("reason", "")) if event else "", event.actor_name if event else "")


def tombstones(project: Project, *, q: str, page: int) -> Rows[Tombstone]:
    rows = Tombstone.objects.filter(project=project)
    rows = rows.filter(Q(title__icontains=q) | Q(public_id__startswith=q)) if q else rows
    return page_of(rows.order_by("-id"), page=page, size=PER_PAGE)
