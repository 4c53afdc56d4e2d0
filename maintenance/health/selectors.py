"""The checks of /readyz: the data folder, the database, its migrations, the worker, and the queue."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Min
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import OrmQ

from maintenance.registry import health_checks
from maintenance.selectors.worker import CLOCK_TOLERANCE, HEARTBEAT_LIMIT, is_expected, last_report
from maintenance.upgrades.ensure_schema import is_current
from maintenance.upgrades.failure import last_failure
from orchestrator_site.kernel import read_only
from orchestrator_site.kernel.db_errors import DATABASE_ERRORS, error_for, fault_of_data
from orchestrator_site.kernel.errors import Transient
from orchestrator_site.kernel.files import FULL_BELOW

WAITING_LIMIT = timedelta(minutes=10)
COUNT_LIMIT = 1000
"""Counting stops here, so that a long queue does not make the check slow."""
CURRENT_FOR_SECONDS = 10.0

_current_until = 0.0


def readiness() -> dict[str, dict[str, Any]]:
    """Run all checks, with few and cheap queries. Anyone may read what they return."""
    checks: dict[str, dict[str, Any]] = {"data": _check_data()}
    now = timezone.now()
    try:
        migrations = _check_schema()
        checks |= {"database": _check(), "migrations": migrations}
        if migrations["ok"]:
            checks["worker"] = check_worker(now)
            checks["queue"] = _check_queue(now)
            found = {name: check() for name, check in health_checks().items()}
            checks |= {name: _check(**facts) for name, facts in found.items() if facts}
    except DATABASE_ERRORS as error:
        shown = error_for(error)
        checks["database"] = _check(shown.message if shown else "The database does not answer.")
    return checks


def _check(problem: str = "", **facts: Any) -> dict[str, Any]:
    return {"ok": not problem, **facts, **({"problem": problem} if problem else {})}


def _check_data() -> dict[str, Any]:
    """Look at the data folder and its disk. Below what uploads leave free, the site refuses deliveries."""
    fault = fault_of_data(keep_free=max(FULL_BELOW, settings.ORCHESTRATOR_KEEP_FREE_BYTES))
    return _check(f"The data cannot be used: {fault.value}." if fault else "")


def _check_schema() -> dict[str, Any]:
    global _current_until
    connection = connections[DEFAULT_DB_ALIAS]
    if read_only.is_on():
        return _check(f"The upgrade of the database failed{_where()}, so nothing can be changed. See manage.py doctor.")
    if time.monotonic() < _current_until:  # migrations do not go missing
        connection.ensure_connection()
    elif is_current(connection):
        _current_until = time.monotonic() + CURRENT_FOR_SECONDS
    else:
        return _check("Migrations are missing. Restart the site, which applies them.")
    return _check()


def _where() -> str:
    """Name the migration that failed, without its error, which may hold rows."""
    failed = last_failure()
    name = failed.problem.partition(":")[0] if failed else ""
    return f" at {name}" if name else ""


def check_worker(now: datetime) -> dict[str, Any]:
    """Say whether jobs run here, and whether the worker that runs them has reported lately."""
    if not is_expected():
        return _check(expected=False)
    last = last_report()
    if last is None:
        return _check("The worker has not reported yet.", expected=True)
    age = _seconds(now, last)
    problem = "" if age <= HEARTBEAT_LIMIT.total_seconds() else "The worker has not reported for too long."
    if age < -CLOCK_TOLERANCE.total_seconds():
        problem = "The worker reported in the future: the clock was set back."
    return _check(problem, expected=True, heartbeat_age_seconds=age)


def _check_queue(now: datetime) -> dict[str, Any]:
    if settings.ORCHESTRATOR_QUEUE_URL:
        return _check_redis()
    # A job waits from its `lock` on; while that is in the future, a worker has it.
    waiting = OrmQ.objects.filter(lock__lte=now)
    count = waiting[:COUNT_LIMIT].count()
    if not count:
        return _check(waiting=0)
    oldest = _seconds(now, waiting.aggregate(oldest=Min("lock"))["oldest"] or now)
    late = settings.ORCHESTRATOR_WORKERS > 0 and oldest > WAITING_LIMIT.total_seconds()
    problem = "Jobs have been waiting for too long." if late else ""
    return _check(problem, waiting=count, oldest_waiting_seconds=oldest)


def _check_redis() -> dict[str, Any]:
    try:
        return _check(waiting=get_broker().queue_size())
    except Transient as error:
        return _check(error.message)


def _seconds(now: datetime, then: datetime) -> float:
    return round((now - then).total_seconds(), 1)
