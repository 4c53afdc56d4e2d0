"""Why a task, or a whole project, has to wait."""

from __future__ import annotations

from django.db.models import Count, Q

from orchestrator_site.kernel.compiled import Compiled
from orchestrator_site.kernel.errors import NotReady
from tasks.choices import CLAIMABLE, Status
from tasks.models import Dependency, Project, Session, Task

_open = Compiled(lambda task: Dependency.objects.open().filter(task=task).order_by().values_list("pk")[:1])
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
    """Whether a task still waits for something."""
    return bool(_open(task=task))


def open_dependencies(task: Task) -> list[Task]:
    """Return what a task still waits for, its own dependencies and those of its parents, each once."""
    return list(Task.objects.filter(dependents__task=task).exclude(status=Status.COMPLETED).distinct().order_by("id"))


Edge = tuple[str, str]
"""The public id and the status of a task at the other end of a dependency."""


def edges_of(task: Task) -> tuple[list[Edge], list[Edge]]:
    """Return what a task waits for or has waited for, and what waits for it, each once and the oldest first."""
    needs: dict[int, Edge] = {}
    dependents: dict[int, Edge] = {}
    for own, public_id, status, need, need_id, need_status in _edges(task=task):
        if own == task.pk:
            needs[need] = need_id, need_status
        else:
            dependents[own] = public_id, status
    return [needs[pk] for pk in sorted(needs)], [dependents[pk] for pk in sorted(dependents)]


def why_nothing_is_ready(project: Project, specialist: str | None, session: Session | None) -> NotReady:
    """Say what a project's unfinished tasks are waiting for, seen by a session."""
    tasks = Task.objects.filter(project=project).on_board().leaves()
    yours = list(tasks.filter(lease_session=session).values_list("public_id", flat=True)[:5]) if session else []
    if specialist:
        others_ready = tasks.ready().exists()
        tasks = tasks.filter(specialist=specialist)
    counts: dict[str, int] = dict(tasks.order_by().values_list("status").annotate(Count("pk")))
    details = {"counts": {status: number for status, number in sorted(counts.items()) if number}, "yours": yours}
    if specialist and others_ready:
        return NotReady(
            f"No {specialist} task is ready.", next="Leave specialist_type out: others are ready.", details=details
        )
    message = f"No {specialist} task is ready." if specialist else "No task is ready."
    return NotReady(message, next=_next_step(counts, yours), details=details)


def _next_step(counts: dict[str, int], yours: list[str]) -> str:
    if yours:
        return f"You hold {', '.join(yours)}: finish it with orchestrator_complete_subtask, or give it back."
    if not counts:
        return "There are none: plan the job with orchestrator_plan_task."
    if counts.get(Status.IN_REVIEW):
        return "Work waits for review; a person approves it with orchestrator_update_task's approve."
    stopped = next((status for status in (Status.BLOCKED, Status.FAILED) if counts.get(status)), None)
    if stopped:
        return f"Stopped tasks hold the rest back: see orchestrator_get_status(status={stopped.value!r})."
    if counts.get(Status.ACTIVE):
        return "Others are at work. Ask again when they have finished."
    if any(counts.get(status) for status in CLAIMABLE):
        return "What is left waits for others or for cancelled tasks: see orchestrator_get_status(status='pending')."
    return "Everything is finished: call orchestrator_synthesize_results, or plan more."
