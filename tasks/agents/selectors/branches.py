"""Names of branches."""

from __future__ import annotations

from tasks.models import Task


def branch_of_merges(plan: Task) -> str:
    """Return the branch that the work of a plan's runs is merged into, unless a person names another."""
    return f"orchestrator/merged/{plan.public_id}"
