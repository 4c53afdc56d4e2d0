"""Run a job, with a record that outlives the process it runs in."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from itertools import takewhile

from django.db import IntegrityError, transaction
from django.utils import timezone

from maintenance.models import JobRun, Outcome
from maintenance.registry import Job, jobs
from orchestrator_site.kernel.errors import Conflict, NotFound

logger = logging.getLogger(__name__)

DEATHS_ALLOWED = 3
REST = timedelta(hours=1)
"""How long a job is left alone after its process has died too often."""
MARGIN = timedelta(seconds=10)
"""How much longer than a job's timeout it may take until its process has been ended for it."""
MESSAGE_LIMIT = 1000


class RunsAlready(Conflict):
    """Another process is at it, which is as good."""


def run(*, name: str, in_any_case: bool = False) -> str:
    """Run a job and return its closing sentence.

    1. Write the row, so that a process which dies leaves a trace.
    2. Run the body.
    3. Write how it ended.

    Raises NotFound for an unknown name; RunsAlready; Conflict where its process has died too often and it is left alone
    for a while (`in_any_case` runs it nevertheless); and whatever the job itself raises.
    """
    job = get_job(name)
    record = _begin(job, in_any_case=in_any_case)
    try:
        said = job.body()
    except BaseException as problem:  # the outermost edge: a timeout and an exit are ends, too
        _end(record, Outcome.FAILED, f"{type(problem).__name__}: {problem}")
        raise
    _end(record, Outcome.SUCCEEDED, said)
    return said


def get_job(name: str) -> Job:
    """Return a job. Raises NotFound."""
    known = jobs()
    if name not in known:
        raise NotFound(f"There is no job named {name}.", next=f"The jobs are: {', '.join(known)}.")
    return known[name]


def _begin(job: Job, *, in_any_case: bool) -> JobRun:
    """Write the row. The database allows one running row per job, so of two that begin together one is refused."""
    now = timezone.now()
    _close_dead(job, now)
    attempt = 1 if in_any_case else _attempt(job, now)
    try:
        with transaction.atomic():
            return JobRun.objects.create(
                job=job.name, attempt=attempt, started_at=now, deadline_at=now + job.timeout + MARGIN
            )
    except IntegrityError as error:
        raise RunsAlready(
            f"The job {job.name} is running already.",
            next=f"Wait until it has ended, which takes at most {job.timeout.total_seconds():.0f} s.",
        ) from error


def _close_dead(job: Job, now: datetime) -> None:
    JobRun.objects.filter(job=job.name).overdue(now).update(
        outcome=Outcome.DIED, finished_at=now, message="Nobody wrote how it ended: its process died or was killed."
    )


def _attempt(job: Job, now: datetime) -> int:
    """Return which attempt this is, counting the processes that died in a row.

    Raises Conflict after too many. The queue delivers a job again and again where it kills its process, for ever; the
    refusal ends that.
    """
    latest = JobRun.objects.of(job.name).exclude(outcome=Outcome.RUNNING)[:DEATHS_ALLOWED]
    died = list(takewhile(lambda run: run.outcome == Outcome.DIED, latest))
    if len(died) < DEATHS_ALLOWED:
        return len(died) + 1
    if now - died[0].started_at < REST:
        raise Conflict(
            f"The job {job.name} is left alone for an hour: its process died {len(died)} times in a row.",
            next=f"Look into the log for the reason, or try it now: python manage.py maintain {job.name}",
        )
    return died[0].attempt + 1


def _end(record: JobRun, outcome: Outcome, message: str) -> None:
    """Write how a run ended, unless it took so long that it counts as dead."""
    ended = {"outcome": outcome, "message": message[:MESSAGE_LIMIT], "finished_at": timezone.now()}
    if not JobRun.objects.filter(pk=record.pk, outcome=Outcome.RUNNING).update(**ended):
        logger.warning("The job %s ended after its time was over.", record.job)
