"""Forget rows that have done their service, a few at a time."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Model, QuerySet
from django.utils import timezone
from django_q.models import Task as QueueRecord

from maintenance.models import JobRun, Outcome

BATCH = 500
KEEP_SUCCESSES = timedelta(days=1)
KEEP_OTHERS = timedelta(days=30)


def forget_runs() -> int:
    """Forget what jobs did: good runs after a day, the others after a month; returns how many rows went."""
    now = timezone.now()
    good = JobRun.objects.filter(outcome=Outcome.SUCCEEDED, finished_at__lt=now - KEEP_SUCCESSES)
    other = JobRun.objects.filter(outcome__in=[Outcome.FAILED, Outcome.DIED], finished_at__lt=now - KEEP_OTHERS)
    return delete_in_batches(good) + delete_in_batches(other)


def forget_queue_records() -> int:
    """Forget what the queue wrote down of jobs that ended; our own rows say the same."""
    now = timezone.now()
    good = QueueRecord.objects.filter(success=True, stopped__lt=now - KEEP_SUCCESSES)
    other = QueueRecord.objects.filter(success=False, stopped__lt=now - KEEP_OTHERS)
    return delete_in_batches(good) + delete_in_batches(other)


def delete_in_batches(rows: QuerySet[Model]) -> int:
    """Delete rows in transactions so short that nobody waits for them; returns how many."""
    total = 0
    while keys := list(rows.order_by().values_list("pk", flat=True)[:BATCH]):
        total += rows.model._default_manager.filter(pk__in=keys).delete()[0]
    return total
