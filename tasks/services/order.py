"""What people and planners say about the order: defer a task, boost its priority, wish for who does it.

Of a group they are about the unfinished tasks below it, as they are now.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from orchestrator_site.kernel.errors import Invalid, invalid
from tasks import events
from tasks.choices import FINISHED, Priority, Verb
from tasks.identity.actor import Actor
from tasks.models import Task
from tasks.selectors.descendants import descendants_of
from tasks.services import readiness
from tasks.services.claim import Guard, locked
from tasks.services.deferrals import worded
from tasks.services.edit import require_editable

_LIMITS = {"for_client": 200, "for_model": 100}


def defer(*, task: Task, actor: Actor, until: datetime | None, guard: Guard | None = None) -> Task:
    """Let a task start at a time, not before; None lets it start as soon as it is ready.

    Raises Invalid for a time that is past, Conflict where the task cannot be edited.
    """
    if until is not None and until <= timezone.now():
        raise Invalid(f"until: {worded(until)} is past.", next="Send a later time, or none to let it start.")
    return _change(Verb.DEFER, task, actor, {"not_before": until}, guard)


def boost(*, task: Task, actor: Actor, priority: int, guard: Guard | None = None) -> Task:
    """Give a task a priority. Raises Invalid for an unknown one, Conflict where the task cannot be edited."""
    if priority not in Priority.values:
        wrong = {"at": "priority", "problem": "unknown priority", "allowed": list(Priority.labels)}
        raise invalid([wrong], next="Send one of these.")
    return _change(Verb.BOOST, task, actor, {"priority": priority}, guard)


def assign(
    *, task: Task, actor: Actor, client: str | None = None, model: str | None = None, guard: Guard | None = None
) -> Task:
    """Wish for the client or the model that does a task. None leaves what is wished for, an empty name takes it back.

    Raises Invalid for a name that is too long or unprintable, Conflict where the task cannot be edited.
    """
    given = {"for_client": client, "for_model": model}
    columns = {name: value.strip().lower() for name, value in given.items() if value is not None}
    wrong = [
        {"at": name.removeprefix("for_"), "problem": f"must have up to {_LIMITS[name]} printable characters"}
        for name, value in columns.items()
        if len(value) > _LIMITS[name] or not value.isprintable()
    ]
    if wrong or not columns:
        raise invalid(wrong or [{"at": "client", "problem": "is required, or model"}], next="Send a name, or none.")
    return _change(Verb.ASSIGN, task, actor, columns, guard)


def _change(verb: Verb, task: Task, actor: Actor, columns: dict[str, Any], guard: Guard | None) -> Task:
    with transaction.atomic(), events.together():
        task = locked(task, guard)
        require_editable(task, actor)
        leaves = [task] if task.is_leaf else _below(task)
        for leaf in leaves:
            if leaf is not task:
                require_editable(leaf, actor)
            before = {name: _plain(getattr(leaf, name)) for name in columns}
            after = {name: _plain(value) for name, value in columns.items()}
            events.record(actor=actor, verb=verb, project=task.project_id, task=leaf, before=before, after=after)
        keys = [leaf.pk for leaf in leaves]
        Task.objects.filter(pk__in=keys).update(**columns, updated_at=timezone.now())
        if verb == Verb.DEFER:
            readiness.refresh_by_keys(keys)
        task.refresh_from_db(fields=[*columns, "is_ready", "updated_at"])
    return task


def _below(group: Task) -> list[Task]:
    unfinished = Task.objects.on_board().leaves().exclude(status__in=FINISHED)
    rows = unfinished.filter(pk__in=descendants_of([group.pk])).select_related("lease_session")
    return list(rows.select_for_update(of=("self",)).order_by("pk"))


def _plain(value: Any) -> Any:
    return worded(value) if isinstance(value, datetime) else value
