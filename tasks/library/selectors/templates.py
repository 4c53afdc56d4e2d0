"""Templates read: what applying one would plan, its versions, where a plan came from, and what fits a description."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from tasks import roles
from tasks.choices import Complexity
from tasks.gates.definition import Gate, gates_of, normalised, with_defaults
from tasks.library.catalogue import Entry, Library
from tasks.library.models import PlanOrigin
from tasks.library.models import Template as Row
from tasks.library.templating.expand import Expansion, Unplannable, expand
from tasks.library.templating.format import Value
from tasks.library.templating.values import checked
from tasks.models import Project, Task
from tasks.project_settings import setting
from tasks.services import plan_check
from tasks.services.needs import named_in
from tasks.services.plan_check import Subtask

SUGGESTED = 3
_ENDING = re.compile(r"(?<=...)(?:ing|ed|es|s|e)$")
_WORD = re.compile(r"[a-zà-öø-ÿ]{3,}")
_COMMON = frozenset(
    ("and", "are", "but", "for", "from", "has", "into", "not", "our", "that", "the", "this", "with", "you")
)


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A subtask as it would be planned, with the gates of its project."""

    subtask: Subtask
    gates: list[Gate]


@dataclass(frozen=True, slots=True)
class Preview:
    """What applying a template would plan; with `problems`, nothing yet."""

    entry: Entry
    values: dict[str, Value]
    problems: list[dict[str, Any]]
    description: str = ""
    steps: tuple[PlannedStep, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A template that a description fits, with the words that say so."""

    entry: Entry
    words: tuple[str, ...]


def preview(project: Project | None, entry: Entry, parameters: Mapping[str, Any]) -> Preview:
    """Show the plan that a template and parameters make. Raises Conflict for a broken template."""
    entry.require_sound()
    values, problems = checked(entry.template.parameters, parameters)
    if problems:
        return Preview(entry, values, problems)
    try:
        asked = expand(entry.template, values)
    except Unplannable as error:
        return Preview(entry, values, [{"at": "parameters", "problem": str(error)}])
    if problems := _not_taken(project, asked):
        return Preview(entry, values, problems)
    usual = normalised(setting(project, "gates.default"))[0] if project else []
    steps = tuple(PlannedStep(each, gates_of(with_defaults(list(each.gates), usual))) for each in asked.subtasks)
    return Preview(entry, values, [], asked.description, steps, asked.left_out)


def _not_taken(project: Project | None, asked: Expansion) -> list[dict[str, Any]]:
    """Return why the board would not take a plan; of the site's templates, all but whether resources are there."""
    draft = plan_check.flatten(asked.subtasks)
    resources = named_in(project, draft) if project else {name for each in asked.subtasks for name in each.resources}
    problems = plan_check.root_problems(asked.description, "", Complexity.MODERATE)
    return problems + plan_check.problems(draft, roles.catalogue(project), resources)


def versions_of(project: Project | None, name: str) -> QuerySet[Row]:
    """Return the versions that were saved, newest first: the project's and the site's, deletions included."""
    of_both = Q(project__isnull=True) | Q(project=project) if project else Q(project__isnull=True)
    return Row.objects.filter(of_both, name=name).order_by("-pk")


def origin_of(plan: Task) -> PlanOrigin | None:
    return PlanOrigin.objects.filter(plan=plan).select_related("recurring").first()


def suggested(library: Library, description: str) -> list[Suggestion]:
    """Return the templates whose name, title or purpose has words of a description, best first."""
    asked = _stems(description)
    found: list[tuple[int, Suggestion]] = []
    for entry in library.templates.values():
        in_name = _stems(entry.name.replace("_", " ").replace("-", " "))
        about = _stems(f"{entry.template.title} {entry.template.when}") | in_name
        if words := tuple(asked[stem] for stem in asked if stem in about):
            score = len(words) + 2 * len(asked.keys() & in_name.keys())
            found.append((score, Suggestion(entry, words)))
    found.sort(key=lambda each: (-each[0], each[1].entry.name))
    return [suggestion for _, suggestion in found[:SUGGESTED]]


def _stems(text: str) -> dict[str, str]:
    """Return the words of a text without their endings, so that "adding" fits "add"."""
    words = _WORD.findall(text.lower())
    return {_ENDING.sub("", word): word for word in words if word not in _COMMON}
