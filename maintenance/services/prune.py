"""Deletes records of jobs that ended long ago."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Model, QuerySet
from django.utils import timezone
from django_q.models import Task as QueueRecord

from maintenance.choices import Outcome
from maintenance.models import JobRun

BATCH = 500
KEEP_KEYS = timedelta(days=7)
"""How long a call may be repeated under its idempotency key."""
KEEP_SUCCESSES = timedelta(days=1)
KEEP_OTHERS = timedelta(days=30)


def delete_old_runs() -> int:
    """Delete our records of jobs and those of the queue, which say the same; return how many."""
    now = timezone.now()
    old: list[QuerySet[Model]] = [
        JobRun.objects.filter(outcome=Outcome.SUCCEEDED, finished_at__lt=now - KEEP_SUCCESSES),
        JobRun.objects.filter(outcome__in=[Outcome.FAILED, Outcome.DIED], finished_at__lt=now - KEEP_OTHERS),
        QueueRecord.objects.filter(success=True, stopped__lt=now - KEEP_SUCCESSES),
        QueueRecord.objects.filter(success=False, stopped__lt=now - KEEP_OTHERS),
    ]
    return sum(map(delete_in_batches, old))


def delete_in_batches(rows: QuerySet[Any]) -> int:
    """Delete rows in transactions so short that no writer has to wait for long; return how many."""
    total = 0
    while keys := list(rows.order_by().values_list("pk", flat=True)[:BATCH]):
        total += rows.model._default_manager.filter(pk__in=keys).delete()[0]
    return total
