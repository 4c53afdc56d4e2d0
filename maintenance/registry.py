"""The jobs that there are: what each does, how often, and how long it may take.

An app registers its jobs in a module of its own named `jobs`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.utils.module_loading import autodiscover_modules

MINUTE = timedelta(minutes=1)
Body = Callable[[], str]
"""What a job does; it returns one sentence that says what was done."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job by its name. Running it twice must do no harm: a queue may deliver it twice."""

    name: str
    every: timedelta
    timeout: timedelta
    body: Body

    @property
    def purpose(self) -> str:
        """What it is for, in one line."""
        return (self.body.__doc__ or "").strip().partition("\n")[0]


_jobs: dict[str, Job] = {}


def job(name: str, *, every: timedelta, timeout: timedelta = MINUTE) -> Callable[[Body], Body]:
    """Register a function as a job.

    `every` is a number of whole minutes. `timeout` is shorter than the queue's own, after which it would give the job
    to another worker. Raises ValueError for what cannot be.
    """
    if every < MINUTE or every % MINUTE:
        raise ValueError(f"{name}: a job runs every whole number of minutes.")
    if not timedelta() < timeout <= timedelta(seconds=settings.Q_CLUSTER["timeout"]):
        raise ValueError(f"{name}: a job's timeout is at most that of the queue.")

    def register(body: Body) -> Body:
        if name in _jobs and _jobs[name].body is not body:
            raise ValueError(f"{name}: there is a job of this name already.")
        _jobs[name] = Job(name, every, timeout, body)
        return body

    return register


def jobs() -> dict[str, Job]:
    """Return all jobs by their names."""
    autodiscover_modules("jobs")
    return dict(sorted(_jobs.items()))
