"""The claim service: what holds however a task is named."""

from __future__ import annotations

import pytest

from orchestrator_site.kernel.errors import Conflict
from tasks.choices import Status
from tasks.identity.actor import Actor
from tasks.models import Event, Task
from tasks.selectors.find import TaskName
from tasks.services.claim import claim
from tests.factories import make_plan, make_project, make_session

pytestmark = pytest.mark.django_db


def refuse(task: Task) -> None:
    raise Conflict(f"{task.public_id} changed.")


@pytest.mark.parametrize("by_name", [False, True], ids=["by row", "by name"])
def test_a_guard_stops_a_claim_however_the_task_is_named(by_name: bool) -> None:
    task = make_plan(make_project("ledger"), 1).descendants.get()
    actor = Actor.assistant(make_session(task.project))
    named = TaskName(task.project, task.public_id) if by_name else task
    with pytest.raises(Conflict):
        claim(task=named, actor=actor, guard=refuse)
    task.refresh_from_db()
    assert task.status == Status.PENDING and not Event.objects.filter(task=task).exists()
