"""Free run-out leases in all projects; a claim does so only in its own."""

from __future__ import annotations

from tasks.models import Project
from tasks.services.leases import SWEEP_LIMIT, free_run_out


def free_everywhere() -> int:
    """Give back every task whose lease is over; returns how many.

    Each project is asked by itself, which is a look into an index, and changed in short transactions of its own.
    """
    return sum(_free(project) for project in Project.objects.order_by("id"))


def _free(project: Project) -> int:
    total = 0
    while freed := len(free_run_out(project=project)):
        total += freed
        if freed < SWEEP_LIMIT:
            break
    return total
