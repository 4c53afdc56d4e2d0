"""Rows of the library for tests, made directly; nothing here goes through the services."""

from __future__ import annotations

import json
from typing import Any

from tasks.library.catalogue import sha256_of
from tasks.library.models import PlanOrigin, Recurring, Template
from tasks.models import Project, Task


def chores(text: str = "A plain text", name: str = "chores") -> str:
    """Return a template that says this wherever it says something."""
    said = json.dumps(text[:200], ensure_ascii=False)
    return f"""\
template: {name}
version: "1"
title: {said}
when: {said}
parameters:
  place: {{description: {said}, default: {said}, max: 250}}
  goal: {{type: text, required: true}}
  days: {{type: integer, default: 2, max: 9}}
  wet: {{type: boolean, default: true}}
  how: {{type: choice, choices: [fast, slow], default: slow}}
  jobs: {{type: list}}
steps:
- key: look
  title: "Look at the {{place}}"
  description: "{{goal}} in {{days}} days, {{how}}"
  specialist: researcher
  gates: [report]
- key: clean
  title: "Clean the {{item}}"
  description: {said}
  specialist: implementer
  for_each: jobs
  needs: [look]
- key: dry
  title: {said}
  description: Dry it.
  specialist: implementer
  if: {{param: wet}}
  needs: [clean]
"""


def make_template(project: Project | None, text: str = "", **fields: Any) -> Template:
    """Save the next version of a template."""
    name, text = fields.pop("name", "chores"), text or chores()
    number = Template.objects.filter(project=project, name=name).count() + 1
    facts = {"number": number, "title": "Chores", "sha256": sha256_of(text), "saved_by": "ada"}
    return Template.objects.create(project=project, name=name, text=text, **{**facts, **fields})


def make_origin(plan: Task, **fields: Any) -> PlanOrigin:
    facts = {"template": "chores", "version": "1", "source": "project", "sha256": "0" * 64}
    return PlanOrigin.objects.create(plan=plan, **{**facts, **fields})


def make_recurring(project: Project, **fields: Any) -> Recurring:
    facts = {"name": "Chores", "template": "chores", "parameters": {"goal": "Shine"}, "cron": "0 9 * * *"}
    return Recurring.objects.create(project=project, **{**facts, "changed_by": "ada", **fields})
