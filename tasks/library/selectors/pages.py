"""Templates for pages: where each comes from, how its steps read, and what was planned with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from orchestrator_site.kernel.text import shortened
from tasks.gates.definition import Gate, gates_of
from tasks.library.catalogue import Entry, Library, newest_rows
from tasks.library.models import PlanOrigin
from tasks.library.models import Template as Row
from tasks.library.selectors.templates import PlannedStep
from tasks.library.templating.format import Condition, Step
from tasks.models import Project
from tasks.selectors.specialists import SOURCES

PLANS_SHOWN = 20
SHOWN_VALUE = 300
LAST_KEY = 2**53


@dataclass(frozen=True, slots=True)
class Listed:
    """A template as a project or the site has it."""

    entry: Entry
    project: Project | None
    plans: int = 0

    @property
    def source(self) -> str:
        return SOURCES.get(self.entry.source, self.entry.source)

    @property
    def is_own(self) -> bool:
        return self.entry.source == ("project" if self.project else "site")


@dataclass(frozen=True, slots=True)
class ShownStep:
    """A step of a template, or a task that it would become."""

    key: str
    title: str
    specialist: str
    needs: tuple[str, ...]
    gates: list[Gate]
    review: bool
    condition: str = ""
    for_each: str = ""


def listed(library: Library, project: Project | None) -> list[Listed]:
    uses = _uses(project) if project else {}
    names = sorted(library.templates)
    return [Listed(library.templates[name], project, uses.get(name, 0)) for name in names]


def broken_rows(library: Library, project: Project | None) -> list[str]:
    """Return the names of own templates that are saved but no longer fit, such as for a specialist that was deleted."""
    if not library.problems:
        return []
    own = [row.name for row in newest_rows(project) if row.project_id == (project.pk if project else None)]
    return [name for name in own if name not in library.templates or library.templates[name].problems]


def own_row(project: Project | None, name: str) -> Row | None:
    """Return the newest version that was saved here, unless it was deleted."""
    row = Row.objects.filter(project=project, name=name).order_by("-number").first()
    return None if row is None or row.is_deleted else row


def plans_of(project: Project, name: str) -> list[PlanOrigin]:
    """Return the newest plans that were made with a template."""
    origins = PlanOrigin.objects.filter(plan__project=project, template=name).select_related("plan")
    return list(origins.order_by("-pk")[:PLANS_SHOWN])


def as_written(steps: Iterable[Step]) -> list[ShownStep]:
    return [
        ShownStep(
            step.key, step.title, step.specialist, step.needs, gates_of(step.gates), bool(step.review),
            in_words(step.condition) if step.condition else "", step.for_each,
        )
        for step in steps
    ]  # fmt: skip


def as_planned(steps: Iterable[PlannedStep]) -> list[ShownStep]:
    return [
        ShownStep(each.key, each.title, each.specialist, each.dependencies, step.gates, bool(each.review))
        for step in steps
        for each in [step.subtask]
    ]


def in_words(condition: Condition, *, unless: bool = False) -> str:
    """Say what a condition asks for; with `unless`, the contrary."""
    if condition.kind == "not":
        return in_words(condition.parts[0], unless=not unless)
    if condition.parts:
        joined = " and " if (condition.kind == "all") != unless else " or "
        return joined.join(_in_brackets(part, unless) for part in condition.parts)
    values = ", ".join(value_words(each) for each in condition.values) or "set"
    return f"{condition.param} is{' not' if unless else ''}{' one of' if condition.kind == 'in' else ''} {values}"


def _in_brackets(condition: Condition, unless: bool) -> str:
    words = in_words(condition, unless=unless)
    return f"({words})" if condition.kind in ("all", "any") else words


def value_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return shortened(", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value), SHOWN_VALUE)


def _uses(project: Project) -> dict[str, int]:
    origins = PlanOrigin.objects.filter(plan__project=project).order_by()
    return dict(origins.values_list("template").annotate(Count("pk")))
