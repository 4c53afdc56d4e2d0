"""What people and planners say about the order: defer a task, boost its priority, wish for who does it.

Of a group it is about all that is unfinished in it, as it is now; what is planned below it later is like the group.
"""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from typing import Any

from django.db import transaction
from django.utils import timezone

from orchestrator_site.kernel.errors import TooLarge, invalid
from tasks import events
from tasks.choices import Priority, Verb
from tasks.identity.actor import Actor
from tasks.models import Task
from tasks.selectors.descendants import unfinished_in
from tasks.services import dependencies, holds, readiness
from tasks.services.claim import Guard, locked
from tasks.services.deferrals import worded
from tasks.services.edit import require_editable
from tasks.services.effect import Effect

AT_ONCE_LIMIT = 5_000
"""Tasks of a group, which take a second."""
VERBS = {"not_before": Verb.DEFER, "priority": Verb.BOOST, "for_client": Verb.ASSIGN, "for_model": Verb.ASSIGN}
"""By column."""
_LIMITS = {"for_client": 200, "for_model": 100}


def defer(*, task: Task, actor: Actor, until: datetime | None) -> Effect:
    """Let a task start at a time, not before; None lets it start as soon as it is ready. Raises what `order` raises."""
    return order(task=task, actor=actor, columns={"not_before": until})


def boost(*, task: Task, actor: Actor, priority: int) -> Effect:
    """Give a task a priority. Raises what `order` raises."""
    return order(task=task, actor=actor, columns={"priority": priority})


def assign(*, task: Task, actor: Actor, client: str | None = None, model: str | None = None) -> Effect:
    """Wish for the client or the model that does a task. None leaves what is wished for, an empty name takes it back.

    Raises what `order` raises, and Invalid where neither is sent.
    """
    columns = {name: value for name, value in {"for_client": client, "for_model": model}.items() if value is not None}
    if not columns:
        raise invalid([{"at": "client", "problem": "is required, or model"}], next="Send a name, or none.")
    return order(task=task, actor=actor, columns=columns)


def order(*, task: Task, actor: Actor, columns: dict[str, Any], guard: Guard | None = None) -> Effect:
    """Set some of the columns in VERBS, all or none. `guard` checks the task once what changes is locked.

    Raises Invalid for a time that is past, an unknown priority, and a name that is too long or unprintable, Conflict
    where a task that changes cannot be edited, and TooLarge for a group of very many.
    """
    columns = {name: value.strip().lower() if name in _LIMITS else value for name, value in columns.items()}
    if wrong := [problem for name, value in columns.items() if (problem := _problem(name, value))]:
        raise invalid(wrong, next="Correct it, and send it again.")
    with transaction.atomic(), events.together():
        dependencies.lock_graph(task.project_id)
        holds.lock_all(task.project_id)
        changed = _unlike(task, columns)  # locked before the group, as every change locks from the leaves up
        task = locked(task)
        require_editable(task, actor)
        if guard is not None:
            guard(task)
        for each in changed:
            require_editable(each, actor)
            _record(each, actor, columns)
        keys = [each.pk for each in changed]
        Task.objects.filter(pk__in=keys).update(**columns, updated_at=timezone.now())
        if "not_before" in columns:
            readiness.refresh_by_keys(keys)
        task.refresh_from_db(fields=[*columns, "is_ready", "updated_at"])
    return Effect(task, changed_total=sum(each.is_leaf for each in changed))


def _problem(name: str, value: Any) -> dict[str, Any] | None:
    match name:
        case "not_before" if value is not None and value <= timezone.now():
            return {"at": "until", "problem": "must be later than now"}
        case "priority" if value not in Priority.values:
            return {"at": name, "problem": "unknown priority", "allowed": list(Priority.labels)}
        case "for_client" | "for_model" if len(value) > _LIMITS[name] or not value.isprintable():
            place = name.removeprefix("for_")
            return {"at": place, "problem": f"must have up to {_LIMITS[name]} printable characters"}
    return None


def _unlike(task: Task, columns: dict[str, Any]) -> list[Task]:
    """Lock the tasks that it is about and that are not so yet."""
    rows = unfinished_in(task).exclude(**columns).select_related("lease_session")
    found = list(rows.locked_upwards()[: AT_ONCE_LIMIT + 1])
    if len(found) > AT_ONCE_LIMIT:
        raise TooLarge(f"That would change more than {AT_ONCE_LIMIT:,} tasks.", next="Take the groups below it.")
    return sorted(found, key=lambda each: each.pk)  # as the history shows them, the group first


def _record(task: Task, actor: Actor, columns: dict[str, Any]) -> None:
    changed = [name for name in VERBS if name in columns and getattr(task, name) != columns[name]]
    for verb, names in groupby(changed, key=VERBS.__getitem__):
        values = [(name, _plain(getattr(task, name)), _plain(columns[name])) for name in names]
        before, after = {name: value for name, value, _ in values}, {name: value for name, _, value in values}
        events.record(actor=actor, verb=verb, project=task.project_id, task=task, before=before, after=after)


def _plain(value: Any) -> Any:
    return worded(value) if isinstance(value, datetime) else value
