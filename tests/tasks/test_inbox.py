"""The number of tasks that wait for a review, which stands on every page."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tasks.choices import Status
from tasks.selectors import counts
from tests.factories import make_plan, make_project, make_task

pytestmark = pytest.mark.django_db


def test_work_and_plans_of_every_project_are_counted_unless_they_are_archived() -> None:
    assert counts.waiting().to_review == ""
    make_task(make_project(), status=Status.IN_REVIEW)
    make_plan(make_project(), 1, statuses=[Status.IN_REVIEW], status=Status.IN_REVIEW)
    make_task(make_project(), status=Status.IN_REVIEW, archived_at=timezone.now())
    make_task(make_project(), status=Status.ACTIVE)
    assert counts.waiting().to_review == "3"


def test_nobody_counts_beyond_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "COUNTED", 2)
    for _ in range(4):
        make_task(make_project(), status=Status.IN_REVIEW)
    assert (counts.count_up_to_limit(Status.IN_REVIEW), counts.waiting().to_review) == (3, "2+")


def test_only_what_stands_in_the_state_is_read() -> None:
    with CaptureQueriesContext(connection) as queries:
        counts.waiting()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")  # of a table without rows it is the cheapest
        cursor.execute(f"EXPLAIN {'QUERY PLAN ' if connection.vendor == 'sqlite' else ''}{queries[0]['sql']}")
        plan = " ".join(str(row) for row in cursor.fetchall())
    assert "task_counts" in plan or "task_by_status" in plan
    assert "status=?" in plan or "in_review" in plan
