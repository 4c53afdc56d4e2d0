"""When the queue runs which job: rows of django-q2, made from the registry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone
from django_q.models import Schedule
from django_q.tasks import async_task

from maintenance.registry import MINUTE, Job, jobs
from maintenance.services.run import get_job

PREFIX = "orchestrator:"
DOOR = "maintenance.jobs.run_from_queue"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a schedule's row says of its job."""

    func: str
    args: str
    kwargs: str
    minutes: int


def sync_schedules() -> None:
    """Make the schedules those of the registry: nothing is written where they are.

    Call it under the lock of `ensure_schema`: names are not unique in that table.
    """
    wanted = {PREFIX + job.name: _plan_of(job) for job in jobs().values()}
    kept: set[str] = set()
    for row in _ours():
        name = str(row.name)
        if name not in wanted or name in kept:
            row.delete()
            continue
        kept.add(name)
        _update(row, wanted[name])
    for name in wanted.keys() - kept:
        Schedule.objects.create(name=name, schedule_type=Schedule.MINUTES, **_columns(wanted[name]))


def are_in_sync() -> bool:
    """Tell whether the schedules are those of the registry; asks the database once."""
    wanted = {PREFIX + job.name: _plan_of(job) for job in jobs().values()}
    rows = list(_ours())
    return len(rows) == len(wanted) and all(_plan_in(row) == wanted.get(str(row.name)) for row in rows)


def run_soon(name: str) -> None:
    """Queue a job to be run as soon as a worker is free, whatever its schedule says.

    Raises NotFound.
    """
    job = get_job(name)
    async_task(DOOR, job.name, q_options=_options(job))


def _ours() -> list[Schedule]:
    return list(Schedule.objects.filter(name__startswith=PREFIX).order_by("id"))


def _update(row: Schedule, plan: Plan) -> None:
    if _plan_in(row) == plan:
        return
    for column, value in _columns(plan).items():
        setattr(row, column, value)
    row.schedule_type = Schedule.MINUTES
    row.next_run = min(row.next_run or timezone.now(), timezone.now() + timedelta(minutes=plan.minutes))
    row.save()


def _plan_of(job: Job) -> Plan:
    return Plan(DOOR, repr(job.name), repr({"q_options": _options(job)}), job.every // MINUTE)


def _plan_in(row: Schedule) -> Plan | None:
    if row.schedule_type != Schedule.MINUTES or row.repeats != -1:
        return None
    return Plan(row.func, row.args or "", row.kwargs or "", row.minutes or 0)


def _columns(plan: Plan) -> dict[str, str | int]:
    return {"func": plan.func, "args": plan.args, "kwargs": plan.kwargs, "minutes": plan.minutes, "repeats": -1}


def _options(job: Job) -> dict[str, str | int]:
    return {"task_name": job.name, "timeout": int(job.timeout.total_seconds())}
