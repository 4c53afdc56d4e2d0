"""Whether a worker runs jobs here, by its reports."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from maintenance.choices import Outcome
from maintenance.models import JobRun

HEARTBEAT_LIMIT = timedelta(minutes=3)
"""The worker reports every minute; without a report for so long it has died or hangs."""
CLOCK_TOLERANCE = timedelta(seconds=5)
"""How far clocks are corrected without a finding."""


def is_expected() -> bool:
    return bool(settings.ORCHESTRATOR_WORKERS > 0)


def last_report() -> datetime | None:
    beats = JobRun.objects.of("heartbeat").filter(outcome=Outcome.SUCCEEDED)
    return beats.values_list("finished_at", flat=True).first()


def is_running() -> bool:
    last, now = last_report(), timezone.now()
    return is_expected() and last is not None and -CLOCK_TOLERANCE <= now - last <= HEARTBEAT_LIMIT
