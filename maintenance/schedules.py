"""When the queue runs which job: rows of django-q2, made from the registry."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from django_q.tasks import async_task

from maintenance.registry import MINUTE, Job, jobs
from maintenance.services.run import get_job

PREFIX = "orchestrator:"
RUNNER = "maintenance.jobs.run_from_queue"
Columns = dict[str, str | int]


def sync_schedules() -> None:
    """Make the schedules match the registry.

    Call it under the lock of `ensure_schema`: names are not unique in that table.
    """
    wanted = _wanted()
    for row in _rows():
        columns = wanted.pop(row.name, None)
        if columns is None:
            row.delete()
        elif not _matches(row, columns):
            for name, value in columns.items():
                setattr(row, name, value)
            row.next_run = min(row.next_run or timezone.now(), timezone.now() + timedelta(minutes=row.minutes))
            row.save()
    for name, columns in wanted.items():
        Schedule.objects.create(name=name, **columns)


def are_in_sync() -> bool:
    wanted, rows = _wanted(), _rows()
    same_names = sorted(row.name for row in rows) == sorted(wanted)
    return same_names and all(_matches(row, wanted[row.name]) for row in rows)


def run_soon(name: str) -> None:
    """Queue a job to run as soon as a worker is free, whatever its schedule says. Raises NotFound."""
    job = get_job(name)
    async_task(RUNNER, job.name, q_options=_options(job))


def follow_the_clock() -> None:
    """Bring forward what a clock that was set back has put off: nothing waits for longer than its own interval."""
    now = timezone.now()
    for row in _rows():
        if row.next_run > now + timedelta(minutes=row.minutes) + MINUTE:
            Schedule.objects.filter(pk=row.pk, next_run=row.next_run).update(next_run=now)
    latest = now + timedelta(seconds=settings.Q_CLUSTER["retry"]) + MINUTE
    OrmQ.objects.filter(lock__gt=latest).update(lock=now)


def _wanted() -> dict[str, Columns]:
    return {
        PREFIX + job.name: {
            "func": RUNNER,
            "args": repr(job.name),
            "kwargs": repr({"q_options": _options(job)}),
            "schedule_type": Schedule.MINUTES,
            "minutes": job.every // MINUTE,
            "repeats": -1,
        }
        for job in jobs().values()
    }


def _options(job: Job) -> dict[str, str | int]:
    return {"task_name": job.name, "timeout": int(job.timeout.total_seconds())}


def _rows() -> list[Any]:
    return list(Schedule.objects.filter(name__startswith=PREFIX).order_by("id"))


def _matches(row: Any, columns: Columns) -> bool:
    return all(getattr(row, name) == value for name, value in columns.items())
