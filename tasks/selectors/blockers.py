"""Why a task, or a whole project, cannot start."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, Exists, Min, OuterRef, Q

from orchestrator_site.kernel.compiled import Compiled
from orchestrator_site.kernel.errors import Hint, NotReady
from tasks.choices import CLAIMABLE, FINISHED, Status
from tasks.models import Dependency, Project, Session, Task
from tasks.selectors.next_task import meant_for, names_of
from tasks.selectors.resources import WAITS_FOR_ONE, waited_for

_open = Compiled(lambda task: Dependency.objects.open().filter(task=task).order_by().values_list("pk")[:1])
_held_up = Compiled(
    lambda task: (
        Task.objects.filter(Exists(Dependency.objects.open().filter(task=OuterRef("pk"))) | WAITS_FOR_ONE, pk=task)
        .order_by()
        .values_list("pk")[:1]
    )
)
_edges = Compiled(
    lambda task: (
        Dependency.objects.filter(Q(task=task) | Q(depends_on=task))
        .order_by()
        .values_list(
            "task_id", "task__public_id", "task__status", "depends_on_id", "depends_on__public_id", "depends_on__status"
        )
    )
)


def has_open_dependencies(task: Task) -> bool:
    return bool(_open(task=task))


def is_held_up(task: Task) -> bool:
    """Whether a dependency is open, or nothing is left of a resource that it needs."""
    return bool(_held_up(task=task) if task.has_needs else _open(task=task))


def open_dependencies(task: Task) -> list[Task]:
    return list(Task.objects.filter(dependents__task=task).exclude(status=Status.COMPLETED).distinct().order_by("id"))


def count_waits(tasks: Iterable[Task]) -> tuple[dict[int, int], dict[int, int]]:
    """Count, for unfinished tasks, how many unfinished tasks each waits for, and how many wait for each."""
    unfinished = [task.pk for task in tasks if task.status not in FINISHED]
    needs: Any = Dependency.objects.open().filter(task__in=unfinished).order_by().values_list("task")
    waiting = Q(task__is_leaf=True, task__archived_at__isnull=True) & ~Q(task__status__in=FINISHED)
    dependents: Any = Dependency.objects.filter(waiting, depends_on__in=unfinished).order_by().values_list("depends_on")
    needed_by = dependents.annotate(Count("task", distinct=True))
    return dict(needs.annotate(Count("depends_on", distinct=True))), dict(needed_by)


Edge = tuple[str, str]  # the public id and the status of the task at the other end of a dependency


def edges_of(task: Task) -> tuple[list[Edge], list[Edge]]:
    """Return the dependencies and the dependents of a task, finished ones included, oldest first."""
    needs: dict[int, Edge] = {}
    dependents: dict[int, Edge] = {}
    for own, public_id, status, need, need_id, need_status in _edges(task=task):
        if own == task.pk:
            needs[need] = need_id, need_status
        else:
            dependents[own] = public_id, status
    return [needs[pk] for pk in sorted(needs)], [dependents[pk] for pk in sorted(dependents)]


def why_nothing_is_ready(project: Project, specialist: str | None, session: Session | None) -> NotReady:
    tasks = Task.objects.filter(project=project).on_board().leaves()
    yours = list(tasks.filter(lease_session=session).values_list("public_id", flat=True)[:5]) if session else []
    meant = meant_for(**names_of(session)) if session else Q()
    others_ready = specialist and tasks.filter(meant, is_ready=True).exclude(specialist=specialist).exists()
    tasks = tasks.filter(specialist=specialist) if specialist else tasks
    counts: dict[str, int] = dict(tasks.order_by().values_list("status").annotate(Count("pk")))
    details: dict[str, Any] = {
        "counts": {status: number for status, number in sorted(counts.items()) if number},
        "yours": yours,
    }
    if meant and (number := tasks.filter(~meant, is_ready=True).count()):
        details["meant_for_others"] = number
    deferred = tasks.filter(status__in=CLAIMABLE, not_before__isnull=False).aggregate(at=Min("not_before"))["at"]
    if deferred:
        details["deferred_until"] = deferred.isoformat(timespec="seconds")
    message = f"No {specialist} task is ready." if specialist else "No task is ready."
    resources = waited_for(project) if any(counts.get(status) for status in CLAIMABLE) else []
    if resources:
        details["resources"] = resources
    following, hint = _next_step(counts, yours, details)
    if others_ready:
        following, hint = "Others are ready.", Hint.ANY_SPECIALIST
    return NotReady(message, next=following, hint=hint, details=details)


def _next_step(counts: dict[str, int], yours: list[str], details: dict[str, Any]) -> tuple[str, Hint]:
    if yours:
        return f"You hold {', '.join(yours)}.", Hint.FINISH_YOURS
    if not counts:
        return "There are none.", Hint.PLAN
    if counts.get(Status.IN_REVIEW):
        return "The next task waits for a review.", Hint.APPROVE
    stopped = next((status for status in (Status.BLOCKED, Status.FAILED) if counts.get(status)), None)
    if stopped:
        return f"Tasks that are {stopped.value} hold up the rest.", Hint.LIST_TASKS
    if details.get("meant_for_others"):
        return "The tasks that are ready are meant for another client or model.", Hint.WAIT
    if details.get("resources"):
        return f"Tasks wait for {', '.join(details['resources'])}.", Hint.WAIT
    if details.get("deferred_until"):
        return f"The next deferred task may start at {details['deferred_until']}.", Hint.WAIT
    if counts.get(Status.ACTIVE):
        return "The others are active.", Hint.WAIT
    if any(counts.get(status) for status in CLAIMABLE):
        return "The pending tasks wait for others or for cancelled ones.", Hint.LIST_TASKS
    return "Everything is finished.", Hint.SYNTHESIZE
