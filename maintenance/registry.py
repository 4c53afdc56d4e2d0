"""The registry of jobs: what each does, how often, and how long it may take; and of what else belongs to health.

An app registers its jobs in a module named `jobs`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils.module_loading import autodiscover_modules

MINUTE = timedelta(minutes=1)
Body = Callable[[], str]
"""What a job runs; it returns one sentence that says what it did."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job by its name. Running it twice must do no harm, since a queue may deliver it twice."""

    name: str
    every: timedelta
    timeout: timedelta
    body: Body

    @property
    def purpose(self) -> str:
        return (self.body.__doc__ or "").strip().partition("\n")[0]


_jobs: dict[str, Job] = {}


def job(name: str, *, every: timedelta, timeout: timedelta = MINUTE) -> Callable[[Body], Body]:
    """Register a function as a job.

    `every` is in full minutes. `timeout` is at most the queue's own, after which the queue gives the job to another
    worker. Raises ValueError for anything else, and for a name that is taken.
    """
    if every < MINUTE or every % MINUTE:
        raise ValueError(f"{name}: a job runs every one or more full minutes.")
    if not timedelta() < timeout <= timedelta(seconds=settings.Q_CLUSTER["timeout"]):
        raise ValueError(f"{name}: the timeout of a job is at most that of the queue.")

    def register(body: Body) -> Body:
        if name in _jobs and _jobs[name].body is not body:
            raise ValueError(f"{name}: there is another job of this name.")
        _jobs[name] = Job(name, every, timeout, body)
        return body

    return register


def jobs() -> dict[str, Job]:
    autodiscover_modules("jobs")
    return dict(sorted(_jobs.items()))


Health = Callable[[], dict[str, Any]]
"""Returns facts, with a `problem` where there is one; nothing where there is nothing to check."""
_health_checks: dict[str, Health] = {}


def health_check(name: str) -> Callable[[Health], Health]:
    """Register a check of /readyz, which has to be cheap; anyone may read what it returns."""

    def register(check: Health) -> Health:
        _health_checks[name] = check
        return check

    return register


def health_checks() -> dict[str, Health]:
    return dict(_health_checks)
