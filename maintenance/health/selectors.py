"""The checks of /readyz: the database, its migrations, the worker, and the queue."""

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
"""The worker reports every minute; without a report for so long it has died or hangs."""
WAITING_LIMIT = timedelta(minutes=10)
COUNT_LIMIT = 1000
"""Counting stops here, so that a long queue does not make the check slow."""
CURRENT_FOR_SECONDS = 10.0

_current_until = 0.0


@dataclass
class Report:
    """The result of each check."""

    checks: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def is_ready(self) -> bool:
        return all(check["ok"] for check in self.checks.values())

    def add(self, name: str, problem: str = "", **facts: Any) -> None:
        self.checks[name] = {"ok": not problem, **facts, **({"problem": problem} if problem else {})}

    def as_dict(self) -> dict[str, Any]:
        return {"status": "ready" if self.is_ready else "not_ready", "checks": self.checks}


def readiness() -> Report:
    """Run all checks, with few and cheap queries. Anyone may read the report."""
    report = Report()
    try:
        _check_schema(report)
        if report.is_ready:
            _check_worker(report, timezone.now())
            _check_queue(report, timezone.now())
    except DatabaseError:
        report.add("database", "The database does not answer.")
    return report


def _check_schema(report: Report) -> None:
    global _current_until
    connection, problem = connections[DEFAULT_DB_ALIAS], ""
    if time.monotonic() < _current_until:  # migrations do not go missing
        connection.ensure_connection()
    elif is_current(connection):
        _current_until = time.monotonic() + CURRENT_FOR_SECONDS
    else:
        problem = "Migrations are missing. Restart the site, which applies them."
    report.add("database")
    report.add("migrations", problem)


def _check_worker(report: Report, now: datetime) -> None:
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


def _check_queue(report: Report, now: datetime) -> None:
    # A job waits from its `lock` on; while that is in the future, a worker has it.
    waiting = OrmQ.objects.filter(lock__lte=now)
    count = waiting[:COUNT_LIMIT].count()
    if not count:
        report.add("queue", waiting=0)
        return
    oldest = _seconds(now, waiting.aggregate(oldest=Min("lock"))["oldest"] or now)
    late = settings.ORCHESTRATOR_WORKERS > 0 and oldest > WAITING_LIMIT.total_seconds()
    problem = "Jobs have been waiting for too long." if late else ""
    report.add("queue", problem, waiting=count, oldest_waiting_seconds=oldest)


def _seconds(now: datetime, then: datetime) -> float:
    return round(max(0.0, (now - then).total_seconds()), 1)
