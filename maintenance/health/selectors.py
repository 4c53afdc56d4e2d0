"""What /readyz is made of: the database, its migrations, the worker, and the queue."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.models import Min
from django.utils import timezone
from django_q.models import OrmQ

from maintenance.models import JobRun, Outcome
from maintenance.upgrades.ensure_schema import is_current

HEARTBEAT_LIMIT = timedelta(minutes=3)
"""A worker that has shown nothing for so long is gone or stuck; it reports every minute."""
WAITING_LIMIT = timedelta(minutes=10)
COUNT_LIMIT = 1000
"""Counting stops here, so that a long queue does not make the question a slow one."""
CURRENT_FOR_SECONDS = 10.0

_current_until = 0.0


@dataclass
class Report:
    """The facts of each part, and what is wrong with it."""

    checks: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def is_ready(self) -> bool:
        """Whether nothing is wrong."""
        return all(check["ok"] for check in self.checks.values())

    def add(self, name: str, problem: str = "", **facts: Any) -> None:
        """Note a part; without a problem it is well."""
        self.checks[name] = {"ok": not problem, **facts, **({"problem": problem} if problem else {})}

    def as_dict(self) -> dict[str, Any]:
        """Return the facts as they are answered."""
        return {"status": "ready" if self.is_ready else "not_ready", "checks": self.checks}


def readiness() -> Report:
    """Ask the database few and cheap questions. Nothing that the answer holds is a secret."""
    report = Report()
    try:
        _ask_schema(report)
        if report.is_ready:
            _ask_worker(report, timezone.now())
            _ask_queue(report, timezone.now())
    except DatabaseError:
        report.add("database", "The database does not answer.")
    return report


def _ask_schema(report: Report) -> None:
    """Migrations do not go missing, so a good answer holds for a while."""
    global _current_until
    connection = connections[DEFAULT_DB_ALIAS]
    if time.monotonic() < _current_until:
        connection.ensure_connection()
        report.add("database")
        report.add("migrations")
        return
    current = is_current(connection)
    report.add("database")
    report.add("migrations", "" if current else "Migrations are missing. Restart the site, which applies them.")
    if current:
        _current_until = time.monotonic() + CURRENT_FOR_SECONDS


def _ask_worker(report: Report, now: datetime) -> None:
    if settings.ORCHESTRATOR_WORKERS < 1:
        report.add("worker", expected=False)
        return
    beats = JobRun.objects.of("heartbeat").filter(outcome=Outcome.SUCCEEDED)
    last = beats.values_list("finished_at", flat=True).first()
    if last is None:
        report.add("worker", "The worker has not reported yet.", expected=True)
        return
    age = _seconds(now, last)
    problem = "" if age <= HEARTBEAT_LIMIT.total_seconds() else "The worker has not reported for too long."
    report.add("worker", problem, expected=True, heartbeat_age_seconds=age)


def _ask_queue(report: Report, now: datetime) -> None:
    """A job waits from its `lock` on; where that is still to come, somebody works on it."""
    waiting = OrmQ.objects.filter(lock__lte=now)
    count = waiting[:COUNT_LIMIT].count()
    if not count:
        report.add("queue", waiting=0)
        return
    oldest = _seconds(now, waiting.aggregate(oldest=Min("lock"))["oldest"] or now)
    late = settings.ORCHESTRATOR_WORKERS > 0 and oldest > WAITING_LIMIT.total_seconds()
    problem = "Jobs wait for too long." if late else ""
    report.add("queue", problem, waiting=count, oldest_waiting_seconds=oldest)


def _seconds(now: datetime, then: datetime) -> float:
    return round(max(0.0, (now - then).total_seconds()), 1)
