"""The end of deferrals: like that of a lease, whoever claims next or the job that frees leases sees it."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from orchestrator_site.kernel.compiled import Compiled
from tasks import events
from tasks.choices import FINISHED, Verb
from tasks.identity.actor import Actor
from tasks.models import Project, Task, TaskQuerySet
from tasks.services import readiness


def due(project: Project | int, now: datetime) -> TaskQuerySet:
    """Unfinished tasks that were deferred until now."""
    return Task.objects.on_board().exclude(status__in=FINISHED).filter(project=project, not_before__lte=now)


_is_any = Compiled(lambda project, now: due(project, now).order_by().values_list("pk")[:1])


def end_due(*, project: Project, now: datetime, limit: int) -> list[Task]:
    """Let tasks start that were deferred until now, and return them."""
    if not _is_any(project=project, now=now):
        return []
    with transaction.atomic(), events.together():
        rows = due(project, now).best_first()[:limit]  # whoever claims next looks at no more
        tasks = list(rows.select_for_update(of=("self",), skip_locked=True))
        keys = [task.pk for task in tasks]
        Task.objects.filter(pk__in=keys).update(not_before=None)
        readiness.refresh_by_keys(keys)
        for task in tasks:
            before, after = {"not_before": worded(task.not_before)}, {"not_before": None}
            events.record(actor=Actor.system(), verb=Verb.DEFER, project=project, task=task, before=before, after=after)
    return tasks


def worded(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None
