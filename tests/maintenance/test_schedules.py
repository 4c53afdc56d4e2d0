"""The schedules are those of the registry, whoever starts and however often."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from pytest_django import DjangoAssertNumQueries

from maintenance.registry import jobs
from maintenance.schedules import PREFIX, are_in_sync, run_soon, sync_schedules
from maintenance.upgrades.ensure_schema import ensure_schema
from tests.site.processes import ROOT

pytestmark = pytest.mark.django_db


def names() -> list[str]:
    return sorted(Schedule.objects.values_list("name", flat=True))


def test_every_job_has_one_schedule_however_often_they_are_brought_up_to_date() -> None:
    ensure_schema(schedules=True)
    first = list(Schedule.objects.order_by("id").values())
    ensure_schema(schedules=True)
    sync_schedules()
    assert list(Schedule.objects.order_by("id").values()) == first
    assert names() == [PREFIX + name for name in jobs()]


def test_where_nothing_changed_they_are_looked_at_once(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    sync_schedules()
    with django_assert_num_queries(1):
        sync_schedules()
    with django_assert_num_queries(1):
        assert are_in_sync()


def test_a_schedule_of_ours_whose_job_is_gone_goes_and_one_of_others_stays() -> None:
    Schedule.objects.create(name=f"{PREFIX}gone", func="maintenance.jobs.run_from_queue")
    Schedule.objects.create(name="somebody else's", func="math.sqrt")
    assert not are_in_sync()
    sync_schedules()
    assert f"{PREFIX}gone" not in names()
    assert "somebody else's" in names()
    assert are_in_sync()


def test_a_schedule_that_was_changed_or_doubled_is_mended() -> None:
    sync_schedules()
    beat = Schedule.objects.get(name=f"{PREFIX}heartbeat")
    Schedule.objects.filter(pk=beat.pk).update(minutes=90, next_run=timezone.now() + timedelta(hours=1))
    Schedule.objects.create(name=beat.name, func="os.abort", schedule_type=Schedule.MINUTES, minutes=1)
    assert not are_in_sync()
    sync_schedules()
    mended = Schedule.objects.get(name=beat.name)
    assert (mended.func, mended.minutes) == ("maintenance.jobs.run_from_queue", 1)
    assert mended.next_run <= timezone.now() + timedelta(minutes=1)


def test_a_job_can_be_queued_at_once() -> None:
    run_soon("heartbeat")
    task = OrmQ.objects.get().task
    assert (task["func"], task["args"], task["timeout"]) == ("maintenance.jobs.run_from_queue", ("heartbeat",), 20)


def test_the_bridge_does_not_load_what_makes_schedules(fresh_home: Path) -> None:
    """It brings the schema up to date, too, and has to be there quickly."""
    code = (
        "import django; django.setup()\n"
        "from maintenance.upgrades.ensure_schema import ensure_schema\n"
        "ensure_schema()\n"
        "import sys; print([name for name in sys.modules if name in ('maintenance.schedules', 'maintenance.jobs')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.stderr) == ("[]\n", "")
