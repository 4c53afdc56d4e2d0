"""The schedules match the registry, however many processes start and however often."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from pytest_django import DjangoAssertNumQueries

from maintenance.models import JobRun
from maintenance.registry import jobs
from maintenance.schedules import PREFIX, are_in_sync, follow_the_clock, run_soon, sync_schedules
from maintenance.services.run import run
from maintenance.upgrades.ensure_schema import ensure_schema
from orchestrator_site.kernel.errors import Transient
from tests.maintenance.queues import UNREACHABLE, use_redis
from tests.site.processes import DEADLINE_SECONDS, ROOT

pytestmark = pytest.mark.django_db


def names() -> list[str]:
    return sorted(Schedule.objects.values_list("name", flat=True))


def test_every_job_has_one_schedule_after_any_number_of_syncs() -> None:
    ensure_schema(schedules=True)
    first = list(Schedule.objects.order_by("id").values())
    ensure_schema(schedules=True)
    sync_schedules()
    assert list(Schedule.objects.order_by("id").values()) == first
    assert names() == [PREFIX + name for name in jobs()]


def test_unchanged_schedules_cost_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    sync_schedules()
    with django_assert_num_queries(1):
        sync_schedules()
    with django_assert_num_queries(1):
        assert are_in_sync()


def test_a_schedule_without_a_job_is_deleted_and_a_foreign_one_stays() -> None:
    Schedule.objects.create(name=f"{PREFIX}gone", func="maintenance.jobs.run_from_queue")
    Schedule.objects.create(name="foreign", func="math.sqrt")
    assert not are_in_sync()
    sync_schedules()
    assert f"{PREFIX}gone" not in names()
    assert "foreign" in names()
    assert are_in_sync()


def test_a_changed_or_duplicate_schedule_is_repaired() -> None:
    sync_schedules()
    beat = Schedule.objects.get(name=f"{PREFIX}heartbeat")
    Schedule.objects.filter(pk=beat.pk).update(minutes=90, next_run=timezone.now() + timedelta(hours=1))
    Schedule.objects.create(name=beat.name, func="os.abort", schedule_type=Schedule.MINUTES, minutes=1)
    assert not are_in_sync()
    sync_schedules()
    repaired = Schedule.objects.get(name=beat.name)
    assert (repaired.func, repaired.minutes) == ("maintenance.jobs.run_from_queue", 1)
    assert repaired.next_run <= timezone.now() + timedelta(minutes=1)


def test_a_job_can_be_queued_now() -> None:
    run_soon("heartbeat")
    task = OrmQ.objects.get().task
    assert (task["func"], task["args"], task["timeout"]) == ("maintenance.jobs.run_from_queue", ("heartbeat",), 20)


def test_a_job_for_a_queue_that_cannot_be_reached_is_refused_for_now(monkeypatch: pytest.MonkeyPatch) -> None:
    use_redis(UNREACHABLE, monkeypatch)
    with pytest.raises(Transient):
        run_soon("heartbeat")


def test_the_bridge_does_not_import_the_schedules(fresh_home: Path) -> None:
    """It brings the schema up to date too, and must start fast."""
    code = (
        "import django; django.setup()\n"
        "from maintenance.upgrades.ensure_schema import ensure_schema\n"
        "ensure_schema()\n"
        "import sys; print([name for name in sys.modules if name in ('maintenance.schedules', 'maintenance.jobs')])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_SECONDS
    )
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


def test_jobs_go_on_within_two_intervals_after_the_clock_was_set_back() -> None:
    sync_schedules()
    run_soon("heartbeat")
    ahead = timedelta(hours=9)
    Schedule.objects.update(next_run=timezone.now() + ahead)
    OrmQ.objects.update(lock=timezone.now() + ahead)
    follow_the_clock()
    now = timezone.now()
    late = [row.name for row in Schedule.objects.all() if row.next_run > now + 2 * timedelta(minutes=row.minutes)]
    assert (late, OrmQ.objects.filter(lock__gt=now).exists()) == ([], False)


def test_a_clock_that_is_right_changes_no_schedule_and_takes_no_job_from_a_worker() -> None:
    sync_schedules()
    OrmQ.objects.create(key="orchestrator", payload="", lock=timezone.now() + timedelta(minutes=6))
    before = [list(model.objects.order_by("id").values()) for model in (Schedule, OrmQ)]
    follow_the_clock()
    assert [list(model.objects.order_by("id").values()) for model in (Schedule, OrmQ)] == before


def test_a_job_whose_process_died_before_the_clock_was_set_back_runs_again() -> None:
    ahead = timezone.now() + timedelta(hours=9)
    JobRun.objects.create(job="heartbeat", started_at=ahead, deadline_at=ahead + timedelta(minutes=1))
    run(name="heartbeat")
    assert [row.outcome for row in JobRun.objects.of("heartbeat")] == ["succeeded", "died"]


def test_a_suspension_ends_though_the_clock_was_set_back() -> None:
    ahead = timezone.now() + timedelta(hours=9)
    times = {"started_at": ahead, "deadline_at": ahead + timedelta(minutes=1), "finished_at": ahead}
    for _ in range(3):
        JobRun.objects.create(job="heartbeat", outcome="died", **times)
    assert run(name="heartbeat")
