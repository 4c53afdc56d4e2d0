"""What the admin shows of jobs."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success

from maintenance.models import JobRun, Upgrade
from maintenance.schedules import sync_schedules
from maintenance.services.run import run
from tests.factories import html_of, signed_in


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    sync_schedules()
    run(name="heartbeat")
    return signed_in(client, is_staff=True, is_superuser=True)


@pytest.mark.parametrize("model", ["maintenance_jobrun", "django_q_schedule"])
def test_runs_and_schedules_are_read_only(staff: Client, model: str) -> None:
    row = JobRun.objects.get() if model == "maintenance_jobrun" else Schedule.objects.get(name__endswith="heartbeat")
    assert "heartbeat" in html_of(staff.get(reverse(f"admin:{model}_changelist")))
    page = reverse(f"admin:{model}_change", args=[row.pk])
    assert "heartbeat" in html_of(staff.get(page))
    assert staff.post(page, {"func": "os.abort"}).status_code == 403
    assert staff.get(reverse(f"admin:{model}_add")).status_code == 403
    assert staff.post(reverse(f"admin:{model}_delete", args=[row.pk])).status_code == 403


def test_the_history_of_upgrades_is_read_only(staff: Client) -> None:
    row = Upgrade.objects.create(outcome="succeeded", version="9.8.7", started_at=timezone.now())
    assert "9.8.7" in html_of(staff.get(reverse("admin:maintenance_upgrade_changelist")))
    page = reverse("admin:maintenance_upgrade_change", args=[row.pk])
    assert (staff.get(page).status_code, staff.post(page, {"version": "1"}).status_code) == (200, 403)


@pytest.mark.parametrize("model", [OrmQ, Success, Failure])
def test_the_pickles_of_the_queue_have_no_pages(model: type) -> None:
    assert not admin.site.is_registered(model)
