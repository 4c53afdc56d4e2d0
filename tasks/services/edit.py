"""Edit a task: its texts, dependencies, specialist, priority and due date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from orchestrator_site.kernel.errors import Conflict, Forbidden, invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.limits import check_texts
from orchestrator_site.kernel.signals import tasks_changed
from tasks import events
from tasks.choices import FINISHED, Complexity, Priority, Verb
from tasks.due import time_in, time_problems
from tasks.effort import minutes_in
from tasks.gates.definition import gates_of, normalised, relaxed
from tasks.identity.actor import Actor
from tasks.models import NEVER, Task, Waiver
from tasks.project_settings import setting
from tasks.roles import Catalogue
from tasks.services import dependencies, leases, needs, transitions
from tasks.services.claim import Guard, locked
from tasks.services.waive import is_holder

SEARCHED = frozenset({"title", "description", "context", "summary"})  # the fields of a task that are searched


@dataclass(frozen=True, slots=True)
class Changes:
    columns: dict[str, Any] = field(default_factory=dict)
    """`due_at` may be a date or a time as `tasks/due.py` takes them; NEVER clears it."""
    add_dependencies: Sequence[Task] = ()
    remove_dependencies: Sequence[Task] = ()
    resources: Sequence[str] | None = None
    """Names of all that it needs; None leaves them."""

    def __bool__(self) -> bool:
        return bool(self.columns or self.add_dependencies or self.remove_dependencies or self.resources is not None)


def edit(*, task: Task, actor: Actor, changes: Changes, catalogue: Catalogue, guard: Guard | None = None) -> Task:
    """Apply changes, all or none. `guard` checks the locked row before anything is changed.

    Raises Invalid, Conflict for a task that is finished or that another assistant holds (unless the actor may review),
    and what `guard` raises.
    """
    columns = _checked(changes.columns, catalogue, setting(task.project, "time_zone"))
    derived = {"effort_minutes": minutes_in(columns["effort"])} if "effort" in columns else {}
    with transaction.atomic():
        if changes.add_dependencies or changes.remove_dependencies:
            dependencies.lock_tree(task)
        task = locked(task, guard)
        require_editable(task, actor)
        _require_may_relax(task, actor, columns)
        before = {name: _recorded(getattr(task, name)) for name in columns}
        if changed := {*gates_of(task.gates)} - {*gates_of(columns.get("gates", task.gates))}:
            Waiver.objects.filter(task=task, gate__in=[gate.name for gate in changed]).delete()
        after = {**{name: _recorded(value) for name, value in columns.items()}, **_relink(task, changes)}
        task.updated_at = timezone.now()
        for name, value in (columns | derived).items():
            setattr(task, name, value)
        task.save(update_fields=[*columns, *derived, "updated_at"])
        if SEARCHED & columns.keys():
            tasks_changed.send(Task, tasks=[task], renamed=before.get("title") != after.get("title"))
        events.record(actor=actor, verb=Verb.EDIT, project=task.project_id, task=task, before=before, after=after)
    return task


def require_editable(task: Task, actor: Actor) -> None:
    """Raises Conflict for a task that is finished or archived, or that another assistant holds."""
    transitions.require_on_board(task)
    if task.status in FINISHED:
        raise Conflict(
            f"{task.public_id} is {task.status}: it is not edited any more.",
            next="Request a revision of it first, or plan a new task.",
        )
    leases.require_not_anothers(task, actor)


def _recorded(value: Any) -> Any:
    """Return a value as events have it."""
    if isinstance(value, datetime):
        return None if value == NEVER else value.isoformat()
    return value


def _checked(columns: dict[str, Any], catalogue: Catalogue, zone: str) -> dict[str, Any]:
    """Return the columns as they are stored. Raises Invalid with every problem."""
    problems = check_texts({name: value for name, value in columns.items() if isinstance(value, str)})
    if not str(columns.get("title", "x")).strip():
        problems.append({"at": "title", "problem": "a task needs a title"})
    if "specialist" in columns:
        problems += catalogue.problems_with(columns["specialist"], at="specialist_type")
    if columns.get("priority", Priority.NORMAL) not in Priority.values:
        problems.append({"at": "priority", "problem": "unknown priority", "allowed": list(Priority.labels)})
    if columns.get("complexity", Complexity.MODERATE) not in Complexity.values:
        problems.append({"at": "complexity", "problem": "unknown complexity", "allowed": Complexity.values})
    if "gates" in columns:
        gates, wrong = normalised(columns["gates"])
        problems, columns = problems + wrong, {**columns, "gates": gates}
    if isinstance(due := columns.get("due_at"), str):
        problems += time_problems(due, "due_at")
        columns = {**columns, "due_at": time_in(due, zone=zone) or NEVER}
    if problems:
        raise invalid(problems, next="Send the call again without these.")
    return columns


def _require_may_relax(task: Task, actor: Actor, columns: dict[str, Any]) -> None:
    """Check that gates are only added, or else that a person who may review and does not hold the task changes them.

    An assistant could relax them first, and then claim the task.
    """
    less = relaxed(task.gates, columns["gates"]) if task.gates and "gates" in columns else []
    if less and (actor.kind != "person" or Scope.REVIEW not in actor.scopes or is_holder(task, actor)):
        raise Forbidden(
            f"gates: {', '.join(less)} would be gone or ask for less.",
            next="Add gates only, or ask a person who does not hold the task.",
        )


def _relink(task: Task, changes: Changes) -> dict[str, Any]:
    linked: dict[str, Any] = {}
    if changes.remove_dependencies:
        dependencies.remove(task, changes.remove_dependencies)
        linked["removed_dependencies"] = [need.public_id for need in changes.remove_dependencies]
    if changes.add_dependencies:
        added = dependencies.add(task, changes.add_dependencies)
        linked["added_dependencies"] = [need.public_id for need in added]
    if changes.resources is not None:
        linked |= needs.replace(task, changes.resources)
    return linked
