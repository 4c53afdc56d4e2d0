"""Apply a template: one plan, all or nothing, which keeps what it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from orchestrator_site.kernel.errors import Conflict, invalid
from tasks import roles
from tasks.choices import Complexity
from tasks.identity.actor import Actor
from tasks.library.catalogue import Entry, catalogue
from tasks.library.models import PlanOrigin, Recurring
from tasks.library.serializers import plain
from tasks.library.templating.expand import Expansion, Unplannable, expand
from tasks.library.templating.format import Value
from tasks.library.templating.values import checked
from tasks.models import Project, Task
from tasks.services.plan import Plan, plan


@dataclass(frozen=True, slots=True)
class Applied:
    """The plan, what it came from, and the keys of the steps that the parameters left out."""

    plan: Plan
    origin: PlanOrigin
    left_out: tuple[str, ...]


def apply_template(
    *,
    project: Project,
    actor: Actor,
    name: str,
    parameters: Mapping[str, Any],
    sha256: str = "",
    description: str = "",
    complexity: str = Complexity.MODERATE,
    context: str = "",
    parent: Task | None = None,
    recurring: Recurring | None = None,
) -> Applied:
    """Plan what a template says, with `description` instead of its own where that is given.

    Raises NotFound, Invalid with every parameter that is wrong, Conflict where the template is broken or not the one
    that the preview with `sha256` showed, and what `plan` raises; then nothing is created.
    """
    entry = catalogue(project).entry(name)
    _require_unchanged(entry, sha256)
    values, asked = expanded(entry, parameters)
    specialists = roles.catalogue(project)
    with transaction.atomic():
        made = plan(
            project=project,
            actor=actor,
            catalogue=specialists,
            description=description.strip() or asked.description,
            subtasks=asked.subtasks,
            complexity=complexity,
            context=context,
            parent=parent,
        )
        origin = _keep(entry, values, made, recurring)
    return Applied(made, origin, asked.left_out)


def expanded(entry: Entry, parameters: Mapping[str, Any]) -> tuple[dict[str, Value], Expansion]:
    """Return the values in effect and what would be planned. Raises Invalid, and Conflict for a broken template."""
    entry.require_sound()
    values, problems = checked(entry.template.parameters, parameters)
    if problems:
        raise invalid(problems, next="Fix these parameters.")
    try:
        return values, expand(entry.template, values)
    except Unplannable as error:
        raise invalid([{"at": "parameters", "problem": str(error)}], next="Change a parameter.") from error


def _require_unchanged(entry: Entry, sha256: str) -> None:
    if sha256 and sha256 != entry.sha256:
        raise Conflict(
            f"The template {entry.name} was changed since the preview.", next="Preview it again, then apply that."
        )


def _keep(entry: Entry, values: Mapping[str, Value], made: Plan, recurring: Recurring | None) -> PlanOrigin:
    return PlanOrigin.objects.create(
        plan=made.root,
        template=entry.name,
        version=entry.template.version,
        source=entry.source,
        sha256=entry.sha256,
        parameters={name: plain(value) for name, value in values.items() if value is not None},
        keys={key: task.public_id for key, task in zip(made.keys, made.tasks, strict=True)},
        recurring=recurring,
    )
