"""/healthz and /readyz in every state."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import DjangoAssertNumQueries, Settings

from maintenance.health import selectors
from maintenance.models import JobRun
from maintenance.services.run import run
from tests.maintenance.queues import UNREACHABLE, use_redis


@pytest.fixture(autouse=True)
def no_cached_result(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(selectors, "_current_until", 0.0)
    yield


@pytest.fixture
def worker(db: None) -> None:
    """Make a worker that has just reported."""
    run(name="heartbeat")


def ready(client: Client) -> tuple[int, dict[str, Any]]:
    response = client.get("/readyz")
    return response.status_code, response.json()["checks"]


def test_healthz_answers_without_the_database(client: Client) -> None:
    answer = client.get("/healthz")  # without a fixture for it, pytest-django refuses any query
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "no-store" in answer["Cache-Control"]
    assert client.post("/healthz").status_code == 405


def test_readyz_answers_200_where_every_check_passes(client: Client, worker: None) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    checks = answer.json()["checks"]
    assert checks.keys() == {"data", "database", "migrations", "worker", "queue"}
    assert checks["worker"]["heartbeat_age_seconds"] < 60
    assert checks["queue"] == {"ok": True, "waiting": 0}


def test_readyz_costs_two_queries(
    client: Client, worker: None, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client.get("/readyz")
    with django_assert_max_num_queries(2):
        client.get("/readyz")


def test_a_worker_that_never_reported_is_not_ready(client: Client, db: None) -> None:
    status, checks = ready(client)
    assert status == 503
    assert (checks["worker"]["ok"], checks["worker"]["expected"]) == (False, True)
    assert checks["worker"]["problem"]


def test_a_worker_without_a_recent_report_is_not_ready(client: Client, worker: None) -> None:
    JobRun.objects.update(finished_at=timezone.now() - timedelta(minutes=4))
    status, checks = ready(client)
    assert status == 503
    assert not checks["worker"]["ok"]
    assert 239 < checks["worker"]["heartbeat_age_seconds"] < 300


def test_a_site_without_a_worker_is_ready(client: Client, db: None, settings: Settings) -> None:
    settings.ORCHESTRATOR_WORKERS = 0
    OrmQ.objects.create(key="orchestrator", payload="", lock=timezone.now() - timedelta(days=1))
    status, checks = ready(client)
    assert status == 200
    assert checks["worker"] == {"ok": True, "expected": False}


def test_a_job_that_waits_for_too_long_is_not_ready(client: Client, worker: None) -> None:
    now = timezone.now()
    OrmQ.objects.create(key="orchestrator", payload="", lock=now + timedelta(minutes=5))  # a worker has it
    OrmQ.objects.create(key="orchestrator", payload="", lock=now - timedelta(minutes=1))
    status, checks = ready(client)
    assert (status, checks["queue"]["waiting"]) == (200, 1)
    assert 59 < checks["queue"]["oldest_waiting_seconds"] < 120
    OrmQ.objects.create(key="orchestrator", payload="", lock=now - timedelta(minutes=11))
    status, checks = ready(client)
    assert (status, checks["queue"]["waiting"], checks["queue"]["ok"]) == (503, 2, False)


def test_a_queue_that_cannot_be_reached_is_not_ready(
    client: Client, worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_redis(UNREACHABLE, monkeypatch)
    status, checks = ready(client)
    assert (status, checks["queue"]["ok"], checks["database"]["ok"]) == (503, False, True)


def test_a_missing_migration_is_not_ready(client: Client, worker: None) -> None:
    MigrationRecorder(connection).record_unapplied("sessions", "0001_initial")
    status, checks = ready(client)
    assert status == 503
    assert checks["database"] == {"ok": True}
    assert checks["migrations"]["problem"]
    MigrationRecorder(connection).record_applied("sessions", "0001_initial")
    assert ready(client)[0] == 200


def test_an_unreachable_database_is_not_ready_and_leaks_nothing(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    def gone(*_: object) -> bool:
        raise OperationalError("no route to db.example, password=secret")

    monkeypatch.setattr(selectors, "is_current", gone)
    status, checks = ready(client)
    assert (status, checks.keys(), checks["database"]["ok"]) == (503, {"data", "database"}, False)
    assert "secret" not in checks["database"]["problem"] and "example" not in checks["database"]["problem"]


def test_the_health_checks_answer_plain_http_behind_a_tls_proxy(
    client: Client, worker: None, settings: Settings
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    for address in ("/healthz", "/readyz", "/healthz/", "/readyz/"):
        assert client.get(address).status_code == 200
    assert client.get("/sign-in/").status_code == 301


def test_a_clock_that_was_set_back_is_a_finding(client: Client, worker: None) -> None:
    JobRun.objects.update(finished_at=timezone.now() + timedelta(hours=9))
    status, checks = ready(client)
    assert (status, checks["worker"]["ok"]) == (503, False)
    assert checks["worker"]["heartbeat_age_seconds"] < -8 * 3600


def test_a_full_disk_is_not_ready(client: Client, worker: None, settings: Settings) -> None:
    settings.ORCHESTRATOR_KEEP_FREE_BYTES = 2**60
    status, checks = ready(client)
    assert (status, checks["data"]["ok"]) == (503, False)


@pytest.mark.parametrize("state", ["missing", "a file"])
def test_a_data_folder_that_is_none_is_not_ready(
    client: Client, worker: None, settings: Settings, tmp_path: Path, state: str
) -> None:
    settings.ORCHESTRATOR_HOME = tmp_path / "home"
    if state == "a file":
        settings.ORCHESTRATOR_HOME.touch()
    status, checks = ready(client)
    assert (status, checks["data"]["ok"]) == (503, False)
    assert str(tmp_path) not in checks["data"]["problem"]
