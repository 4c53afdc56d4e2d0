"""Put the parts of a plan together: every summary and every artifact, in the order in which they build on each other.

Honest about what is not there: unfinished, blocked, failed and cancelled parts are named as such.
"""

from __future__ import annotations

from dataclasses import dataclass

from tasks.choices import Status
from tasks.graph import in_dependency_order
from tasks.models import Dependency, Task
from tasks.queries import counts
from tasks.queries.brief import Work, works_of
from tasks.services.dependencies import descendants_of


@dataclass(frozen=True, slots=True)
class Part:
    """A task of the report with what it delivered."""

    task: Task
    works: list[Work]


@dataclass(frozen=True, slots=True)
class Synthesis:
    """The report on one plan or group."""

    plan: Task
    parts: list[Part]
    counts: dict[str, int]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing: every part is completed, or was cancelled on purpose."""
        return not self.open and bool(self.counts.get(Status.COMPLETED))

    @property
    def open(self) -> list[Part]:
        """The parts that are not finished."""
        return [part for part in self.parts if part.task.status not in (Status.COMPLETED, Status.CANCELLED)]


def synthesis_of(plan: Task) -> Synthesis:
    """Return the report on everything below a task."""
    ordered = _in_order(plan)
    works = works_of(ordered)
    parts = [Part(task, works.get(task.pk, [])) for task in ordered]
    return Synthesis(plan, parts, counts.of_plan(plan))


def headline(synthesis: Synthesis) -> str:
    """Say in one sentence how much of the work is there."""
    done = counts.progress(synthesis.counts)
    rest = ", ".join(f"{number} {status}" for status, number in synthesis.counts.items() if status != Status.COMPLETED)
    sentence = f"{done['completed']} of {done['total']} parts are completed"
    return f"{sentence}; {rest}." if rest else f"{sentence}."


def _in_order(plan: Task) -> list[Task]:
    """The leaves below a task, each after what it waits for; groups stand in the graph for their subtasks."""
    below = _below(plan)
    edges: dict[int, list[int]] = {task.pk: [] for task in below}
    rows = Dependency.objects.filter(task__root_id=plan.plan_id).values_list("task_id", "depends_on_id")
    for task_pk, need_pk in rows.order_by("id"):
        if task_pk in edges:
            edges[task_pk].append(need_pk)
    for task in below:
        if task.parent_id in edges:
            edges[task.parent_id].append(task.pk)
    by_pk = {task.pk: task for task in below}
    return [by_pk[pk] for pk in in_dependency_order(edges) if by_pk[pk].is_leaf]


def _below(plan: Task) -> list[Task]:
    """Everything below a task in the order of planning; a leaf stands for itself."""
    if plan.is_leaf:
        return [plan]
    rows = list(Task.objects.within(plan).on_board().order_by("position"))
    if plan.is_plan:
        return rows
    wanted = descendants_of([plan.pk])
    return [row for row in rows if row.pk in wanted]
