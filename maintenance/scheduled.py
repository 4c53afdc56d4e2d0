"""The schedules of jobs, with the newest run of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max
from django_q.models import Schedule

from maintenance.choices import Outcome
from maintenance.models import JobRun
from maintenance.registry import Job, jobs
from maintenance.schedules import PREFIX


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A job; `next_run` is None while no schedule has been made for it."""

    job: Job
    last: JobRun | None
    next_run: datetime | None

    @property
    def name(self) -> str:
        return self.job.name

    @property
    def label(self) -> str:
        return self.job.name.replace("_", " ").capitalize()

    @property
    def has_failed(self) -> bool:
        return self.last is not None and self.last.outcome in (Outcome.FAILED, Outcome.DIED)

    @property
    def purpose(self) -> str:
        return self.job.purpose

    @property
    def every_minutes(self) -> int:
        return int(self.job.every.total_seconds() // 60)


def schedules() -> list[Scheduled]:
    newest = JobRun.objects.order_by().values("job").annotate(newest=Max("pk")).values_list("newest", flat=True)
    last = {run.job: run for run in JobRun.objects.filter(pk__in=list(newest))}
    rows = Schedule.objects.filter(name__startswith=PREFIX).values_list("name", "next_run")
    following = {name.removeprefix(PREFIX): time for name, time in rows}
    return [Scheduled(job, last.get(job.name), following.get(job.name)) for job in jobs().values()]
