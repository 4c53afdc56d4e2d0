"""Add and remove what a task waits for; a cycle is refused.

Subtasks inherit what their parents wait for, so adding to a parent adds to everything below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import connection

from orchestrator_site.kernel.errors import Conflict, Hint, Invalid
from tasks.models import Dependency, Project, Task
from tasks.selectors.descendants import descendants_of, waits_for
from tasks.services import readiness

_CHUNK = 500


def lock_graph(project_id: int) -> None:
    """Let one change of a project's graph happen at a time, so that two halves of a circle cannot meet.

    Call it first in the transaction. SQLite's transactions come one after the other anyway.
    """
    if connection.features.has_select_for_update:
        Project.objects.select_for_update().get(pk=project_id)


def lock_needed(keys: Iterable[int]) -> None:
    """Hold what is waited for, so that whether it is completed stays as it is until the dependency is there."""
    if connection.features.has_select_for_update:
        list(Task.objects.select_for_update(of=("self",)).filter(pk__in=sorted(keys)).order_by("pk").values_list("pk"))


def add(task: Task, needs: Sequence[Task]) -> list[Task]:
    """Make a task wait for others; returns those that it did not wait for already.

    Call it in the transaction of the change, with the graph locked. Raises Invalid where a cycle would close.
    """
    lock_needed(need.pk for need in needs)
    present = set(task.dependencies.filter(inherited_from__isnull=True).values_list("depends_on_id", flat=True))
    fresh = [need for need in dict.fromkeys(needs) if need.pk not in present]
    below = descendants_of([task.pk])
    for need in fresh:
        _refuse_cycle(task, below, need)
    rows = [Dependency(task=task, depends_on=need) for need in fresh]
    rows += [Dependency(task_id=pk, depends_on=need, inherited_from=task) for need in fresh for pk in sorted(below)]
    Dependency.objects.bulk_create(rows, batch_size=_CHUNK)
    readiness.refresh_by_keys({task.pk, *below})
    return fresh


def remove(task: Task, needs: Sequence[Task]) -> list[Task]:
    """Stop a task from waiting for others; returns them.

    Call it in the transaction of the change. Raises Conflict where it does not wait for one of them itself.
    """
    own = set(task.dependencies.filter(inherited_from__isnull=True).values_list("depends_on_id", flat=True))
    strangers = [need.public_id for need in needs if need.pk not in own]
    if strangers:
        raise Conflict(
            f"{task.public_id} does not itself wait for {', '.join(strangers[:5])}.",
            hint=Hint.SEE_TASK,
        )
    Dependency.objects.filter(task=task, depends_on__in=needs, inherited_from__isnull=True).delete()
    Dependency.objects.filter(inherited_from=task, depends_on__in=needs).delete()
    readiness.refresh_by_keys({task.pk, *descendants_of([task.pk])})
    return list(needs)


def inherited_from(parent: Task) -> list[tuple[int, int]]:
    """Return what a new subtask of this parent inherits: pairs of (what it waits for, from whom)."""
    rows = Dependency.objects.filter(task=parent).values_list("depends_on_id", "inherited_from_id", "task_id")
    return [(need, origin or own) for need, origin, own in rows]


def _refuse_cycle(task: Task, below: set[int], need: Task) -> None:
    if waits_for([need.pk]) & (below | {task.pk}):
        raise Invalid(
            f"{task.public_id} cannot wait for {need.public_id}: that one waits for it, so neither could start.",
            next="Leave this dependency out, or turn it round.",
            details={"cycle": [task.public_id, need.public_id]},
        )
