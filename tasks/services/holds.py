"""Take and let go of resources, in the transaction of whatever needs them.

A conditional UPDATE decides every race: it counts a hold only while one is left, and gives it the next fencing number.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import F, Q

from orchestrator_site.kernel.compiled import Compiled, CompiledUpdate, insert
from orchestrator_site.kernel.errors import Hint, NotReady
from orchestrator_site.kernel.text import called
from tasks.identity.actor import Actor
from tasks.models import Resource, ResourceHold, Task, TaskQuerySet
from tasks.selectors.resources import Use, needed_by, uses_of
from tasks.services import readiness

_every = Compiled(
    lambda project: (
        Resource.objects.filter(project=project).select_for_update(no_key=True).order_by("name").values_list("pk")
    )
)
_take = CompiledUpdate(
    lambda pk: Resource.objects.filter(pk=pk, held__lt=F("capacity")),
    held=F("held") + 1,
    last_number=F("last_number") + 1,
)
_give = CompiledUpdate(lambda pk: Resource.objects.filter(pk=pk), held=F("held") - 1)
_by_key = Compiled(lambda pk: Resource.objects.filter(pk=pk))
_of_task = Compiled(lambda task: ResourceHold.objects.select_related("resource").filter(task=task).order_by("id"))
_is_any_over = Compiled(
    lambda project, now, latest: (
        ResourceHold.objects.filter(Q(expires_at__lte=now) | Q(expires_at__gt=latest), resource__project=project)
        .order_by()
        .values_list("pk")[:1]
    )
)


_SHOWN = 5


class Full(NotReady):
    """Every place of a resource is taken."""


def lock_all(project_id: int) -> None:
    """Serialise what changes holds in a project. SQLite runs one transaction at a time anyway.

    Call it before a task is locked: whoever holds the lock of one may have to mark others, which wait for a resource.
    """
    if connection.features.has_select_for_update:
        _every(project=project_id)


def take_for(task: Task, actor: Actor) -> list[ResourceHold]:
    """Take all that a task needs, by name. Raises Full where nothing is left of one."""
    return [take(resource, actor, task=task) for resource in needed_by(task)]


def take(
    resource: Resource, actor: Actor, *, task: Task | None = None, expires_at: datetime | None = None
) -> ResourceHold:
    """Take one place of a resource. Raises Full, naming the holders, where none is left."""
    if not _take({}, pk=resource.pk):
        raise full(resource, actor)
    resource = _by_key.get(pk=resource.pk)
    hold = ResourceHold(
        resource=resource,
        task=task,
        session=actor.session,
        holder=actor.label,
        number=resource.last_number,
        expires_at=expires_at,
    )
    insert(hold)
    if resource.held >= resource.capacity:
        readiness.refresh_full(resource=resource.pk)
    return hold


def let_go(holds: Iterable[ResourceHold]) -> None:
    for hold in holds:
        if ResourceHold.objects.filter(pk=hold.pk).delete()[0]:
            before = _by_key.get(pk=hold.resource_id)
            _give({}, pk=before.pk)
            if before.held >= before.capacity:
                readiness.refresh_freed(resource=before.pk)


def let_go_of(task: Task) -> None:
    """Give back all that a task holds. Call it before its own readiness is asked for."""
    if task.has_needs:
        let_go(_of_task(task=task.pk))


def let_go_below(tasks: TaskQuerySet) -> None:
    """Give back what tasks hold that leave the board, whose leases are over."""
    let_go(ResourceHold.objects.filter(task__in=tasks.order_by().values("pk")).order_by("id"))


def free_run_out(*, project_id: int, now: datetime, latest: datetime) -> list[ResourceHold]:
    """Give back what sessions held alone until now, and return it; after `latest` none ends, or the clock was set back.

    Call it in a transaction.
    """
    alone = ResourceHold.objects.filter(resource__project=project_id, task=None)
    alone.filter(expires_at__gt=latest).update(expires_at=latest)
    over = list(alone.filter(expires_at__lte=now).select_related("resource").order_by("id"))
    let_go(over)
    return over


def is_any_over(*, project_id: int, now: datetime, latest: datetime) -> bool:
    return bool(_is_any_over(project=project_id, now=now, latest=latest))


def full(resource: Resource, actor: Actor) -> Full:
    uses = uses_of(resource)[:_SHOWN]
    is_own = actor.session is not None and resource.holds.filter(task=None, session=actor.session).exists()
    who = " and ".join(_worded(use) for use in uses[:3]) or "another"
    return Full(
        f"{resource.name} is held by {who}.",
        hint=Hint.FREE_RESOURCE if is_own else Hint.CLAIM_NEXT,
        details={"resource": resource.name, "capacity": resource.capacity, "held_by": [facts_of(use) for use in uses]},
    )


def facts_of(use: Use) -> dict[str, Any]:
    return {
        "holder": use.holder,
        "until": use.until.isoformat(timespec="seconds") if use.until else None,
        "task_id": use.task.public_id if use.task else None,
    }


def _worded(use: Use) -> str:
    task = f" for {use.task.public_id}" if use.task else ""
    until = f" until {use.until.isoformat(timespec='seconds')}" if use.until else ""
    return f"{called(use.holder)}{task}{until}"
