"""Read runs: by id, by token, and what they cost."""

from __future__ import annotations

from decimal import Decimal

from django.db.models import Sum

from orchestrator_site.kernel.errors import NotFound
from tasks.agents.choices import LIVE, WORKING
from tasks.agents.models import Run
from tasks.models import Project, Task


def run_by_id(project: Project, public_id: str) -> Run:
    """Return a run of this project. Raises NotFound."""
    rows = Run.objects.filter(project=project).select_related("task", "project", "session")
    found = rows.filter(public_id=public_id.replace("\x00", "")[:40]).first()
    if found is None:
        raise NotFound(f"There is no run {public_id[:40]!r} in project {project.slug}.", next="List the runs.")
    return found


def run_of_task(task: Task) -> Run:
    """Return the live run of a task, else its newest. Raises NotFound."""
    rows = task.runs.select_related("task", "project", "session")
    found = rows.filter(state__in=LIVE).first() or rows.first()
    if found is None:
        raise NotFound(f"{task.public_id} has no run.", next="Start one.")
    return found


def run_of_token(digest: str) -> Run | None:
    """Return the run at work that has a token."""
    return Run.objects.filter(token_digest=digest, state__in=WORKING).select_related("project").first()


def cost_of_plan(plan: int) -> Decimal:
    return Run.objects.filter(plan=plan).aggregate(total=Sum("cost_usd"))["total"] or Decimal(0)


def working_on(machine: str) -> int:
    """Return how many runs are at work on a machine."""
    return Run.objects.filter(state__in=WORKING, machine=machine).count()
