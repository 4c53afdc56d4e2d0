"""Read runs: by id, by task, by token, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db.models import Count, Max, Q, QuerySet, Sum

from orchestrator_site.kernel.errors import NotFound
from tasks.agents.choices import LIVE, WORKING
from tasks.agents.models import Run
from tasks.models import Project, Task
from tasks.selectors.descendants import descendants_of

_SUMS = ("turns", "tokens_in", "tokens_out", "tokens_cached", "compactions", "cost_usd")
_OF_ALL = "of_all_"
"""Keeps the names of totals apart from those of columns."""
_TOTALS = {
    f"{_OF_ALL}runs": Count("pk"),
    **{f"{_OF_ALL}{name}": Sum(name) for name in _SUMS},
    f"{_OF_ALL}context_peak": Max("context_peak"),
}
PLANS_LIMIT = 100
_LONG_TEXTS = [
    f"{task}__{name}"
    for task in ("task", "plan")
    for name in ("description", "context", "summary", "review_comment", "answer")
]
_BELOW_LIMIT = 30_000  # about as many values as SQLite takes in one query; no group is near it


def runs_of(project: Project) -> QuerySet[Run]:
    return Run.objects.filter(project=project).select_related("task", "project", "session", "plan")


def without_long_columns(runs: QuerySet[Run]) -> QuerySet[Run]:
    """Return runs as lists show them: some have thousands of changed files, and tasks long texts."""
    return runs.defer("facts", "worktree", "limits", *_LONG_TEXTS)


def run_by_id(project: Project, public_id: str) -> Run:
    """Return a run of this project. Raises NotFound."""
    found = runs_of(project).filter(public_id=public_id.replace("\x00", "")[:40]).first()
    if found is None:
        raise NotFound(f"There is no run {public_id[:40]!r} in project {project.slug}.", next="List the runs.")
    return found


def run_of_task(task: Task) -> Run:
    """Return the live run of a task, else its newest. Raises NotFound."""
    rows = task.runs.select_related("task", "project", "session", "plan")
    found = rows.filter(state__in=LIVE).first() or rows.first()
    if found is None:
        raise NotFound(f"{task.public_id} has no run.", next="Start one.")
    return found


def newest_below(task: Task) -> QuerySet[Run]:
    """Return the newest run of each task of a plan or below a group, and whatever lives there."""
    if task.is_plan:
        rows = Run.objects.filter(plan=task)
    else:
        rows = Run.objects.filter(task__in=sorted(descendants_of([task.pk]))[:_BELOW_LIMIT])
    newest = rows.order_by().values("task").annotate(newest=Max("pk")).values("newest")
    return runs_of(task.project).filter(Q(pk__in=newest) | Q(pk__in=rows.filter(state__in=LIVE).values("pk")))


def run_of_token(digest: str) -> Run | None:
    """Return the run at work that has a token."""
    return Run.objects.filter(token_digest=digest, state__in=WORKING).select_related("project").first()


def cost_of_plan(plan: int) -> Decimal:
    return Run.objects.filter(plan=plan).aggregate(total=Sum("cost_usd"))["total"] or Decimal(0)


def totals_of(runs: QuerySet[Run]) -> dict[str, Any]:
    """Return how many runs there are, and what they used together."""
    return _named(runs.order_by().aggregate(**_TOTALS))


def totals_by_plan(runs: QuerySet[Run]) -> list[dict[str, Any]]:
    """Return the totals of the plans that cost most, each with `plan__public_id` and `plan__title`."""
    found = runs.order_by().values("plan__public_id", "plan__title").annotate(**_TOTALS)
    return list(map(_named, found.order_by(f"-{_OF_ALL}cost_usd", "-plan")[:PLANS_LIMIT]))


def _named(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(_OF_ALL): value or 0 for name, value in found.items()}


def working_on(machine: str) -> int:
    """Return how many runs are at work on a machine."""
    return Run.objects.filter(state__in=WORKING, machine=machine).count()
