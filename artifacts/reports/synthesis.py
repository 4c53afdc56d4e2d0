"""The synthesis of a plan: every summary and artifact in dependency order, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from artifacts.selectors.artifacts import ArtifactSummary, artifacts_by_task
from tasks.choices import FINISHED, Status
from tasks.graph.algorithms import in_dependency_order
from tasks.models import Dependency, Task
from tasks.selectors import counts
from tasks.selectors.descendants import descendants_of
from tasks.selectors.gates import GateState, states_of
from tasks.selectors.rows import Counts, Rows

PARTS_PER_PAGE, PARTS_TO_PRINT, MISSING = 40, 500, 30
_DELIVERED = (Status.COMPLETED, Status.IN_REVIEW, Status.NEEDS_REVISION)
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Part:
    task: Task
    artifacts: list[ArtifactSummary]
    gates: list[GateState] = field(default_factory=list)


class Place(NamedTuple):
    pk: int
    parent_pk: int | None
    is_leaf: bool
    status: str


@dataclass(frozen=True, slots=True)
class Synthesis:
    plan: Task
    parts: list[Part]
    counts: dict[str, int]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing: every part is completed or cancelled."""
        return not self.open and bool(self.counts.get(Status.COMPLETED))

    @property
    def open(self) -> list[Part]:
        return [part for part in self.parts if part.task.status not in (Status.COMPLETED, Status.CANCELLED)]


def synthesis_of(plan: Task) -> Synthesis:
    return Synthesis(plan, parts_of([part.pk for part in order_of(plan)]), counts.of_plan(plan))


def order_of(plan: Task) -> list[Place]:
    """Return the leaves below a task, each after its dependencies; in the graph, groups represent their subtasks."""
    below = _below(plan)
    edges: dict[int, list[int]] = {place.pk: [] for place in below}
    rows = Dependency.objects.filter(task__root_id=plan.plan_id).values_list("task_id", "depends_on_id")
    for task_pk, need_pk in rows.order_by("id"):
        if task_pk in edges:
            edges[task_pk].append(need_pk)
    for place in below:
        if place.parent_pk in edges:
            edges[place.parent_pk].append(place.pk)
    by_pk = {place.pk: place for place in below}
    return [by_pk[pk] for pk in in_dependency_order(edges) if by_pk[pk].is_leaf]


def parts_of(keys: Sequence[int]) -> list[Part]:
    tasks: dict[int, Task] = {}
    for start in range(0, len(keys), _CHUNK):
        tasks |= Task.objects.in_bulk(keys[start : start + _CHUNK])
    ordered = [tasks[key] for key in keys if key in tasks]
    artifacts, gates = artifacts_by_task(ordered), states_of(ordered)
    return [Part(task, artifacts.get(task.pk, []), gates.get(task.pk, [])) for task in ordered]


@dataclass(frozen=True, slots=True)
class PartsPage:
    """A page of the report: delivered parts, and the progress and missing parts (`MISSING` at most) of the plan."""

    report: Synthesis
    rows: Rows[Part]
    missing: list[Task]
    missing_total: int

    @property
    def counts(self) -> Counts:
        return Counts(self.report.counts)


def parts_page(plan: Task, *, page: int, to_print: bool = False) -> PartsPage:
    """Return a page of the report; the texts of other pages are not read."""
    order = order_of(plan)
    size = PARTS_TO_PRINT if to_print else PARTS_PER_PAGE
    start = (page - 1) * size
    delivered = [place.pk for place in order if place.status in _DELIVERED]
    parts = parts_of(delivered[start : start + size])
    rows = Rows(parts, page, start + 1, start + size < len(delivered), len(delivered))
    open_keys = [place.pk for place in order if place.status not in FINISHED]
    missing = Task.objects.only("public_id", "title", "status", "reason", "review_comment").in_bulk(open_keys[:MISSING])
    listed = [missing[key] for key in open_keys[:MISSING] if key in missing]
    return PartsPage(Synthesis(plan, parts, counts.of_plan(plan)), rows, listed, len(open_keys))


def headline(synthesis: Synthesis) -> str:
    done = counts.progress(synthesis.counts)
    rest = ", ".join(f"{number} {status}" for status, number in synthesis.counts.items() if status != Status.COMPLETED)
    sentence = f"{done['completed']} of {done['total']} parts are completed"
    return f"{sentence}; {rest}." if rest else f"{sentence}."


def _below(plan: Task) -> list[Place]:
    if plan.is_leaf:
        return [Place(plan.pk, plan.parent_id, True, plan.status)]
    rows = Task.objects.within(plan).beside(plan).order_by("position")
    places = [Place(*row) for row in rows.values_list("pk", "parent_id", "is_leaf", "status")]
    if plan.is_plan:
        return places
    wanted = descendants_of([plan.pk])
    return [place for place in places if place.pk in wanted]
