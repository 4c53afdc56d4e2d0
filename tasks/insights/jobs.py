"""Jobs of insights."""

from __future__ import annotations

from datetime import timedelta

from maintenance.registry import job
from tasks.insights.services.figures import count_everywhere


@job("count_figures", every=timedelta(hours=1), timeout=timedelta(minutes=4))
def count_figures() -> str:
    """Count the figures of the day, in the time zone of each project that has moved since they were counted."""
    return count_everywhere()
