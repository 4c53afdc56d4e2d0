"""What a task is linked with: dependencies, dependents, artifacts, progress of subtasks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from artifacts.selectors.artifacts import ArtifactSummary, artifacts_by_task
from tasks.models import Task, TaskQuerySet
from tasks.selectors import counts
from tasks.selectors.rows import count_by

SHOWN = 50  # rows of each kind, beside the true totals


@dataclass(frozen=True, slots=True)
class Progress:
    completed_subtasks: int
    total_subtasks: int
    progress_percentage: int
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Links:
    """The first of each kind, and how many there are. `progress` is None for a leaf."""

    progress: Progress | None
    waits_for: list[Task]
    waits_for_total: int
    needed_by: list[Task]
    needed_by_total: int
    artifacts: list[ArtifactSummary]
    artifacts_total: int


def links_of(task: Task) -> Links:
    needs, needs_total = _first(Task.objects.filter(dependents__task=task))
    dependents, dependents_total = _first(Task.objects.filter(dependencies__depends_on=task))
    artifacts = artifacts_by_task([task]).get(task.pk, []) if task.summary else []
    return Links(
        None if task.is_leaf else progress_of(counts.of_plan(task)),
        needs,
        needs_total,
        dependents,
        dependents_total,
        artifacts[:SHOWN],
        len(artifacts),
    )


def progress_of(by_status: dict[str, int]) -> Progress:
    done = counts.progress(by_status)
    return Progress(done["completed"], done["total"], done["percent"], by_status)


def progress_of_plans(plans: Iterable[Task]) -> dict[int, Progress]:
    counted = count_by("root_id", [plan.pk for plan in plans])
    return {pk: progress_of(dict(found.states)) for pk, found in counted.items()}


def _first(tasks: TaskQuerySet) -> tuple[list[Task], int]:
    rows: Any = tasks.distinct().order_by("pk")
    found = list(rows.only("public_id", "title", "status", "specialist")[: SHOWN + 1])
    return found[:SHOWN], len(found) if len(found) <= SHOWN else rows.count()
