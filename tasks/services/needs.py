"""What tasks need: stored as they are planned, and changed while no one holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator_site.kernel.compiled import insert_all
from orchestrator_site.kernel.errors import Conflict, invalid
from tasks.choices import Status
from tasks.models import Project, Resource, ResourceNeed, Task
from tasks.selectors.resources import needed_by
from tasks.services import readiness
from tasks.services.plan_check import Draft, resource_problems

_Problem = dict[str, Any]


def named_in(project: Project, draft: Sequence[Draft]) -> dict[str, Resource]:
    """Return the resources of a project by name; none, without a statement, where a plan needs none."""
    return _known(project) if any(entry.spec.resources for entry in draft) else {}


def connect(
    tasks: Sequence[Task], draft: Sequence[Draft], known: Mapping[str, Resource], *, parent: Task | None
) -> None:
    """Store what the tasks of a checked plan need. Call it before they are marked ready.

    What a parent needed that was divided, all leaves below need instead.
    """
    moved = needed_by(parent) if parent is not None else []
    if moved:
        ResourceNeed.objects.filter(task=parent).delete()
    rows = [
        ResourceNeed(task=task, resource=resource)
        for task, entry in zip(tasks, draft, strict=True)
        for resource in dict.fromkeys([*moved * task.is_leaf, *(known[name] for name in entry.spec.resources)])
    ]
    insert_all(rows)


def replace(task: Task, names: Sequence[str]) -> dict[str, Any]:
    """Let a locked task need these resources and no others; return what is new for its event.

    Raises Invalid for an unknown name, Conflict while the task is held, and for a group.
    """
    known = _known(task.project)
    if problems := resource_problems(names, known, "resources"):
        raise invalid(problems, next="Send names of resources, or add the resource first.")
    if not task.is_leaf or task.status == Status.ACTIVE:
        raise Conflict(
            f"{task.public_id} {'is held' if task.is_leaf else 'has subtasks'}: its resources stay as they are.",
            next="Release it first." if task.is_leaf else "Edit its subtasks.",
        )
    ResourceNeed.objects.filter(task=task).delete()
    insert_all([ResourceNeed(task=task, resource=known[name]) for name in dict.fromkeys(names)])
    task.has_needs = bool(names)
    readiness.refresh_by_keys([task.pk])
    task.refresh_from_db(fields=["is_ready"])
    return {"resources": sorted(set(names))}


def _known(project: Project) -> dict[str, Resource]:
    return {resource.name: resource for resource in Resource.objects.filter(project=project).order_by("name")}
