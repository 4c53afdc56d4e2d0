"""A purged plan takes with it what runs and the library keep of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from maintenance.services.purge import purge
from tasks.agents.models import Run
from tasks.identity.actor import Actor
from tasks.library.models import Context, ContextUse, PlanOrigin, Recurring, Template
from tasks.models import Note, Project, Task
from tests.agents.rows import make_run
from tests.factories import make_context, make_plan, make_project
from tests.library.rows import make_recurring
from tests.maintenance.test_purge import put_away

pytestmark = pytest.mark.django_db
ADA = Actor(kind="person", name="ada")


@pytest.fixture
def plan(settings: Settings, tmp_path: Path) -> Task:
    settings.ORCHESTRATOR_HOME = tmp_path
    plan = make_plan(make_project("shop"), 1, statuses=["completed"])
    put_away(plan)
    plan.refresh_from_db()
    return plan


def purged(plan: Task) -> Project:
    purge(task=plan, actor=ADA, confirmed=True)
    assert not Task.objects.exists()
    return plan.project


def test_runs_and_origins_and_uses_of_contexts_go_with_their_plan(plan: Task) -> None:
    task = plan.children.get()
    make_run(task)
    PlanOrigin.objects.create(plan=plan, template="spike", source="default", sha256="0" * 64)
    ContextUse.objects.create(task=task, lease_number=1, context="context_1")
    purged(plan)
    assert not any(model.objects.exists() for model in (Run, PlanOrigin, ContextUse))


def test_what_was_made_of_a_plan_outlives_it(plan: Task) -> None:
    task = plan.children.get()
    recurring = make_recurring(plan.project, last_plan=plan)
    note = Note.objects.create(task=task, actor_name="ada", kind="learned", text="Test after the last edit.")
    context = make_context(plan.project, note=note)
    Template.objects.create(name="mine", number=1, title="Mine", text="", sha256="", drafted_from=plan, saved_by="ada")
    purged(plan)
    assert Recurring.objects.get(pk=recurring.pk).last_plan is None
    assert Context.objects.get(pk=context.pk).note is None
    assert Template.objects.get().drafted_from is None
