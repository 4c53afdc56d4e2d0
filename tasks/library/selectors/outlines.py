"""Finished plans as outlines, from which templates are drafted, and those that are like one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.db.models import Count, DateTimeField, OuterRef, Q, Subquery

from orchestrator_site.kernel.text import shortened
from tasks.choices import Complexity, Priority, Status, Verb
from tasks.gates.definition import normalised
from tasks.library.models import PlanOrigin
from tasks.library.patterns.outline import Outline, Step
from tasks.models import Dependency, Event, Project, ResourceNeed, Task, TaskQuerySet
from tasks.project_settings import setting

LIKE_READ = 20
_TITLE_LENGTH = 120  # of a plan, cut from the first line of its description


def finished_plans(project: Project) -> TaskQuerySet:
    """Return completed plans, the newest first."""
    return Task.objects.plans().filter(project=project, status=Status.COMPLETED).order_by("-id")


def outline_of(plan: Task) -> Outline:
    return outlines_of([plan])[0]


def like(outline: Outline, plan: Task) -> list[Outline]:
    """Return the newest finished plans with the same specialists in the same order."""
    completed = Count("descendants", filter=Q(descendants__is_leaf=True, descendants__status=Status.COMPLETED))
    others = finished_plans(plan.project).exclude(pk=plan.pk).annotate(size=completed).filter(size=len(outline.kept))
    newest = list(others[:LIKE_READ])
    shapes = shapes_of([plan.pk, *(other.pk for other in newest)])
    return outlines_of([other for other in newest if shapes[other.pk] == shapes[plan.pk]])


def shapes_of(plans: Sequence[int]) -> dict[int, list[str]]:
    """Return what like plans have in common: who did each step, in the same order."""
    done = Task.objects.filter(root__in=plans, status=Status.COMPLETED).leaves()
    shapes: dict[int, list[str]] = {plan: [] for plan in plans}
    for plan, specialist in done.order_by("root_id", "position").values_list("root_id", "specialist"):
        shapes[plan].append(specialist)
    return shapes


def outlines_of(plans: Sequence[Task] | TaskQuerySet) -> list[Outline]:
    """Read plans of one project in a few queries."""
    plans = list(plans)
    tasks = with_added(Task.objects.filter(root__in=plans)).select_related("project").order_by("position")
    origins = {origin.plan_id: origin for origin in PlanOrigin.objects.filter(plan__in=plans)}
    needs, resources = _needs(plans), _resources(plans)
    by_plan: dict[int, list[Task]] = defaultdict(list)
    for task in tasks:
        by_plan[task.plan_id].append(task)
    return [_outline(plan, by_plan[plan.pk], needs, resources, origins.get(plan.pk)) for plan in plans]


def with_added(tasks: TaskQuerySet) -> TaskQuerySet:
    """Say of each task whether it is `added`: all that a call plans is there before its first event."""
    planned = Event.objects.filter(task=OuterRef("root"), verb=Verb.PLAN).order_by("id").values("created_at")[:1]
    planned_at = Subquery(planned, output_field=DateTimeField())
    return tasks.annotate(added=Q(created_at__gt=planned_at))


def _needs(plans: Sequence[Task]) -> dict[tuple[int, bool], list[str]]:
    """Return ids of what tasks of a plan wait for within it, by task and whether the need is inherited."""
    found: dict[tuple[int, bool], list[str]] = defaultdict(list)
    rows = Dependency.objects.filter(task__root__in=plans, depends_on__root__in=plans).order_by("id")
    for task, need, origin in rows.values_list("task_id", "depends_on__public_id", "inherited_from_id"):
        found[task, origin is not None].append(need)
    return found


def _resources(plans: Sequence[Task]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for task, name in ResourceNeed.objects.filter(task__root__in=plans).values_list("task_id", "resource__name"):
        found[task].append(name)
    return found


def _outline(
    plan: Task,
    tasks: Sequence[Any],
    needs: dict[tuple[int, bool], list[str]],
    resources: dict[int, list[str]],
    origin: PlanOrigin | None,
) -> Outline:
    ids = {task.pk: task.public_id for task in tasks}
    title, description = _worded(plan)
    steps = tuple(
        Step(
            id=task.public_id,
            title=task.title,
            description=task.description,
            specialist=task.specialist,
            parent=ids.get(task.parent_id, ""),
            is_group=not task.is_leaf,
            is_cancelled=task.status == Status.CANCELLED,
            is_added=bool(task.added),
            needs=tuple(need for need in needs[task.pk, False] if need in ids.values()),
            inherited=tuple(need for need in needs[task.pk, True] if need in ids.values()),
            more=_more(task, resources[task.pk]),
        )
        for task in tasks
    )
    keys = {public_id: key for key, public_id in origin.keys.items()} if origin else {}
    return Outline(plan.public_id, title, steps, description, keys, origin.parameters if origin else {})


def _worded(plan: Task) -> tuple[str, str]:
    """Return the title and description of a plan: the first line is its title unless someone changed that."""
    first, _, rest = plan.description.strip().partition("\n")
    is_title = shortened(first, _TITLE_LENGTH) == plan.title
    return (first.strip(), rest.strip()) if is_title else (plan.title, plan.description.strip())


def _more(task: Task, resources: list[str]) -> dict[str, Any]:
    """Return what a template says of a step only where it is not as usual."""
    usual = normalised(setting(task.project, "gates.default"))[0]
    reviewed = True if setting(task.project, "review") else None
    found: dict[str, Any] = {
        "priority": task.priority_word if task.priority != Priority.NORMAL else None,
        "complexity": task.complexity if task.complexity != Complexity.MODERATE else None,
        "effort": task.effort,
        "context": task.context,
        "review": task.requires_review if task.requires_review != reviewed else None,
        "gates": [gate for gate in task.gates if gate not in usual],
        "paths": task.paths,
        "resources": resources,
    }
    return {name: value for name, value in found.items() if value not in (None, "", [])}
