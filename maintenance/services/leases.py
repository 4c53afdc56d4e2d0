"""Frees expired leases in all projects; a claim does so only in its own."""

from __future__ import annotations

from tasks.models import Project
from tasks.services.leases import SWEEP_LIMIT, free_run_out


def free_everywhere() -> int:
    total = 0
    for project in Project.objects.order_by("id"):  # one by one, since the index begins with the project
        while freed := len(free_run_out(project=project)):
            total += freed
            if freed < SWEEP_LIMIT:
                break
    return total
