"""Templates and finished plans for the tests of the library."""

from __future__ import annotations

from typing import Any

from tasks.choices import Status
from tasks.identity.actor import Actor
from tasks.library.models import Recurring
from tasks.library.services.apply import apply_template
from tasks.library.services.recurring import create_recurring
from tasks.library.services.templates import save_template
from tasks.models import Project, Task
from tasks.services.complete import complete

ADA = Actor(kind="person", name="ada")
CHORES = """\
template: chores
version: 1
title: Chores of the {place}
parameters:
  place: {type: string, default: kitchen}
  days: {type: integer, default: 2}
steps:
- key: look
  title: Look at the {place}
  description: What is to be done in {days} days?
  specialist: researcher
- key: clean
  title: Clean the {place}
  description: Do it.
  specialist: implementer
  needs: [look]
  priority: high
- key: dry
  title: Dry the {place}
  description: Do it too.
  specialist: implementer
  needs: [look]
  paths: ["{place}/"]
- key: check
  title: Check
  description: See whether it is clean.
  specialist: reviewer
  needs: [clean, dry]
"""


def save_chores(project: Project, text: str = "") -> None:
    save_template(project=project, actor=ADA, text=text or CHORES)


def planned(project: Project, **parameters: Any) -> Task:
    return apply_template(project=project, actor=ADA, name="chores", parameters=parameters).plan.root


def finish(plan: Task) -> Task:
    """Complete what can be completed, in order, until nothing is left."""
    while ready := Task.objects.filter(root=plan, is_ready=True).order_by("position").first():
        complete(task=ready, actor=ADA, summary="Done")
    plan.refresh_from_db()
    assert plan.status == Status.COMPLETED
    return plan


def make_recurring(project: Project, **columns: Any) -> Recurring:
    usual = {"name": "Chores", "template": "chores", "parameters": {}, "cron": "0 9 * * *", "is_on": True}
    return create_recurring(project=project, actor=ADA, **{**usual, **columns})
