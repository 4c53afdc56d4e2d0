"""Whether a worker runs jobs."""

from __future__ import annotations

from django.utils import timezone

from maintenance.health.selectors import check_worker


def is_running() -> bool:
    found = check_worker(timezone.now())
    return bool(found["ok"] and found["expected"])
