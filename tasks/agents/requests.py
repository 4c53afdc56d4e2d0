"""What callers ask for, in the terms of the services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from orchestrator_site.kernel.errors import Invalid
from tasks.agents.choices import Communication, Workspace
from tasks.agents.services.start import STARTED_AT_ONCE, Wish
from tasks.models import Project, Task
from tasks.selectors.find import task_by_id

LEAST_USD = 0.01


def wish_of(given: Mapping[str, Any]) -> Wish:
    """Return what a caller wants of its runs; what is missing or None is as the project's settings say."""
    cost = given.get("max_cost_usd")
    return Wish(
        agent=given.get("agent") or "",
        model=given.get("model") or "",
        minutes=given.get("timeout_minutes"),
        idle_minutes=given.get("idle_minutes"),
        turns=given.get("max_turns"),
        cost_usd=None if cost is None else Decimal(str(cost)),
        workspace=Workspace(given.get("workspace") or Workspace.NEW),
        communication=Communication(given.get("communication") or Communication.ARTIFACT),
        base=given.get("base") or "",
    )


def tasks_named(project: Project, public_ids: Sequence[str]) -> list[Task]:
    """Return the tasks that a caller names. Raises Invalid for none or too many, NotFound, Conflict."""
    if not 1 <= len(public_ids) <= STARTED_AT_ONCE:
        raise Invalid(f"task_ids: name 1 to {STARTED_AT_ONCE} tasks.", next="A plan or a group means its subtasks.")
    return [task_by_id(project, each) for each in public_ids]
