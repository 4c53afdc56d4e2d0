"""A finding is resolved as soon as what it proposes has been done."""

from __future__ import annotations

import pytest

from maintenance.choices import Cause
from maintenance.models import Finding
from maintenance.services.resolve import resolve_done
from tests.factories import make_finding, make_project, make_task

pytestmark = pytest.mark.django_db


def test_what_was_done_is_resolved_and_everything_else_stays_open() -> None:
    task = make_task(make_project())
    done = make_finding(task, proposal="release")
    pair = make_finding(task, Cause.NEAR_DUPLICATE, subject=f"{task.public_id} task_other", proposal="release")
    make_finding(task, Cause.ARCHIVABLE, proposal="archive")
    make_finding(task, Cause.REVIEW_WAITS)
    make_finding(make_task(task.project), proposal="release")
    changes = [{"verb": "release", "task_id": task.public_id}]
    assert resolve_done(project=task.project, changes=changes) == 2
    resolved = Finding.objects.filter(resolved_at__isnull=False)
    assert set(resolved.values_list("pk", flat=True)) == {done.pk, pair.pk}
    assert resolve_done(project=task.project, changes=changes) == 0


def test_what_met_a_conflict_stays_open() -> None:
    task = make_task(make_project())
    make_finding(task, proposal="archive")
    changes = [{"verb": "archive", "task_id": task.public_id, "conflict": "It is held."}]
    assert resolve_done(project=task.project, changes=changes) == 0
    assert resolve_done(project=task.project, changes=[]) == 0
