"""Add and remove dependencies, which subtasks inherit from their parents; a cycle is refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import connection

from orchestrator_site.kernel.errors import Conflict, Hint, Invalid
from tasks.choices import Status
from tasks.models import Dependency, Task
from tasks.selectors.descendants import descendants_of, unfinished_in, waits_for
from tasks.services import chains, holds, readiness

_CHUNK = 500
_LOCK_GRAPH = "SELECT pg_advisory_xact_lock(1, %s::int)"
_SHARE_GRAPH = "SELECT pg_advisory_xact_lock_shared(1, %s::int)"


def lock_graph(project_id: int, *, shared: bool = False) -> None:
    """Serialise changes of a project's graph, so that two of them cannot close a cycle.

    `shared` is for completions: they go on beside each other, but beside no change. Call it first in the transaction.
    SQLite serialises transactions anyway.
    """
    if connection.features.has_select_for_update:
        with connection.cursor() as cursor:  # by its number, since changes would wait forever for shared locks of a row
            cursor.execute(_SHARE_GRAPH if shared else _LOCK_GRAPH, [project_id])


def lock_needed(keys: Iterable[int]) -> None:
    """Lock tasks and all that they wait for, which `chains` writes: before the groups above, as every change does."""
    if connection.features.has_select_for_update:
        list(Task.objects.filter(pk__in=chains.affected(keys)).locked_upwards().values_list("pk"))


def lock_tree(task: Task) -> None:
    """Lock the graph, the resources, and a task with all that is unfinished in it. Call it first in the transaction."""
    lock_graph(task.project_id)
    holds.lock_all(task.project_id)
    if connection.features.has_select_for_update:
        list(unfinished_in(task).locked_upwards().values_list("pk"))


def require_on_board(needs: Iterable[Task]) -> None:
    """Check that what a task is to wait for will be completed. Raises Conflict. Call it with the graph locked."""
    archived = Task.objects.filter(pk__in=[need.pk for need in needs], archived_at__isnull=False)
    if lost := archived.exclude(status=Status.COMPLETED).order_by("pk").first():
        raise Conflict(
            f"{lost.public_id} is archived and will not be completed.",
            next="Restore it first, or omit this dependency.",
            details={"archived": lost.public_id},
        )


def add(task: Task, needs: Sequence[Task]) -> list[Task]:
    """Add dependencies; return those that are new.

    Call it in the transaction of the change, with the graph locked. Raises Invalid where a cycle would close, Conflict
    where a dependency is archived and unfinished.
    """
    lock_needed(need.pk for need in needs)
    require_on_board(needs)
    present = set(task.dependencies.filter(inherited_from__isnull=True).values_list("depends_on_id", flat=True))
    fresh = [need for need in dict.fromkeys(needs) if need.pk not in present]
    below = descendants_of([task.pk])
    for need in fresh:
        if waits_for([need.pk]) & (below | {task.pk}):
            raise Invalid(
                f"{task.public_id} cannot depend on {need.public_id}, which depends on it: neither could start.",
                next="Omit this dependency, or reverse it.",
                details={"cycle": [task.public_id, need.public_id]},
            )
    rows = [Dependency(task=task, depends_on=need) for need in fresh]
    rows += [Dependency(task_id=pk, depends_on=need, inherited_from=task) for need in fresh for pk in sorted(below)]
    Dependency.objects.bulk_create(rows, batch_size=_CHUNK)
    readiness.refresh_by_keys({task.pk, *below})
    chains.refresh(need.pk for need in fresh)
    return fresh


def remove(task: Task, needs: Sequence[Task]) -> None:
    """Remove dependencies.

    Call it in the transaction of the change. Raises Conflict where one of them is not the task's own.
    """
    own = set(task.dependencies.filter(inherited_from__isnull=True).values_list("depends_on_id", flat=True))
    strangers = [need.public_id for need in needs if need.pk not in own]
    if strangers:
        raise Conflict(
            f"{task.public_id} has no dependency of its own on {', '.join(strangers[:5])}.", hint=Hint.SEE_TASK
        )
    Dependency.objects.filter(task=task, depends_on__in=needs, inherited_from__isnull=True).delete()
    Dependency.objects.filter(inherited_from=task, depends_on__in=needs).delete()
    readiness.refresh_by_keys({task.pk, *descendants_of([task.pk])})
    chains.refresh(need.pk for need in needs)


def inherited_from(parent: Task) -> list[tuple[int, int]]:
    """Return what a new subtask of this parent inherits: pairs of a dependency and the task it comes from."""
    rows = Dependency.objects.filter(task=parent).values_list("depends_on_id", "inherited_from_id", "task_id")
    return [(need, origin or own) for need, origin, own in rows]
