"""Jobs that keep the folders of runs in order."""

from __future__ import annotations

from datetime import timedelta

from maintenance.registry import job
from tasks.agents.services.sweep import sweep_all
from tasks.models import Project


@job("sweep_worktrees", every=timedelta(hours=1), timeout=timedelta(minutes=4))
def sweep_worktrees() -> str:
    """Remove worktrees of ended runs that are too old or beyond the quota; their work stays on its branch."""
    return sweep_all(Project.objects.filter(runs__isnull=False, runs__removed_at=None).distinct())
