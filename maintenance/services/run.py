"""Runs a job, with a record that survives the process it runs in."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from itertools import takewhile

from django.db import IntegrityError, transaction
from django.utils import timezone

from maintenance.choices import Outcome
from maintenance.models import JobRun
from maintenance.registry import Job, jobs
from orchestrator_site.kernel.errors import Conflict, NotFound

logger = logging.getLogger(__name__)

DEATHS_ALLOWED = 3
SUSPENSION = timedelta(hours=1)
"""How long a job does not run after its process has died too often."""
MARGIN = timedelta(seconds=10)
"""How long after its timeout the queue may take to end the process of a job."""
MESSAGE_LIMIT = 1000


class AlreadyRunning(Conflict):
    """Another process runs the job."""


def run(*, name: str, force: bool = False) -> str:
    """Run a job and return the sentence that says what it did.

    Raises NotFound for an unknown name; AlreadyRunning; Conflict where the job is suspended because its process died
    too often (`force` runs it nevertheless); and whatever the job itself raises.
    """
    job = get_job(name)
    record = _start(job, force=force)
    try:
        result = job.body()
    except BaseException as problem:  # the outermost edge; timeouts and exits are recorded too
        _finish(record, Outcome.FAILED, f"{type(problem).__name__}: {problem}")
        raise
    _finish(record, Outcome.SUCCEEDED, result)
    return result


def get_job(name: str) -> Job:
    known = jobs()
    if name not in known:
        raise NotFound(f"There is no job named {name}.", next=f"The jobs are: {', '.join(known)}.")
    return known[name]


def _start(job: Job, *, force: bool) -> JobRun:
    """Write the row. The database allows one running row per job, so of two that start together one fails.

    That a process has died is recorded for every job, since this one may run long before theirs.
    """
    now = timezone.now()
    JobRun.objects.overdue(now).update(outcome=Outcome.DIED, finished_at=now, message="Its process died or was killed.")
    attempt = 1 if force else _attempt(job, now)
    try:
        with transaction.atomic():
            return JobRun.objects.create(
                job=job.name, attempt=attempt, started_at=now, deadline_at=now + job.timeout + MARGIN
            )
    except IntegrityError as error:
        raise AlreadyRunning(
            f"The job {job.name} is running already.",
            next=f"Wait until it ends, which takes at most {job.timeout.total_seconds():.0f} s.",
        ) from error


def _attempt(job: Job, now: datetime) -> int:
    """Return which attempt this is, counting processes that died in a row. Raises Conflict after too many.

    The queue would deliver a job that kills its process again and again, for ever.
    """
    latest = JobRun.objects.of(job.name).exclude(outcome=Outcome.RUNNING)[:DEATHS_ALLOWED]
    died = list(takewhile(lambda run: run.outcome == Outcome.DIED, latest))
    if len(died) < DEATHS_ALLOWED:
        return len(died) + 1
    if abs(now - died[0].started_at) < SUSPENSION:  # not for hours where the clock was set back
        raise Conflict(
            f"The job {job.name} is suspended for an hour: its process died {len(died)} times in a row.",
            next=f"Look for the reason in the log, or run it now: python manage.py maintain {job.name}",
        )
    return died[0].attempt + 1


def _finish(record: JobRun, outcome: Outcome, message: str) -> None:
    ended = {"outcome": outcome, "message": message[:MESSAGE_LIMIT], "finished_at": timezone.now()}
    if not JobRun.objects.filter(pk=record.pk, outcome=Outcome.RUNNING).update(**ended):
        logger.warning("The job %s ended after its deadline.", record.job)
