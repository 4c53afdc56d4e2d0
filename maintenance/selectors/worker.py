"""Whether a worker runs jobs."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from maintenance.choices import Outcome
from maintenance.models import JobRun

HEARTBEAT_LIMIT = timedelta(minutes=3)
"""The worker reports every minute; without a report for so long it has died or hangs."""


def is_running() -> bool:
    if settings.ORCHESTRATOR_WORKERS < 1:
        return False
    beats = JobRun.objects.of("heartbeat").filter(outcome=Outcome.SUCCEEDED)
    last = beats.values_list("finished_at", flat=True).first()
    return last is not None and abs(timezone.now() - last) <= HEARTBEAT_LIMIT
