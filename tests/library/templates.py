"""Templates for tests: short texts, read and applied."""

from __future__ import annotations

from typing import Any

from tasks.library.templating.expand import Expansion, expand
from tasks.library.templating.format import Problem, Template
from tasks.library.templating.reading import read
from tasks.library.templating.values import checked

STEP = "{key: a, title: A, description: Do it, specialist: tester}"
ROLES = frozenset({"architect", "implementer", "debugger", "documenter", "reviewer", "tester", "researcher"})


def template_of(text: str) -> Template:
    reading = read(text)
    assert reading.template is not None, reading.problems
    return reading.template


def of_steps(*steps: str, parameters: str = "", more: str = "") -> str:
    """Return a template called `mine` with steps in braces, each its first line below line 3."""
    lines = [f"parameters: {{{parameters}}}"] if parameters else []
    return "\n".join(["template: mine", "title: Mine", "steps:", *(f"- {step}" for step in steps), *lines, more]) + "\n"


def step(key: str, **more: str) -> str:
    """Return a step as YAML in braces; what is given is written as it is."""
    facts = {"key": key, "title": key.upper(), "description": "Do it", "specialist": "tester", **more}
    return "{" + ", ".join(f"{name.rstrip('_')}: {value}" for name, value in facts.items()) + "}"


def problems_of(text: str) -> tuple[Problem, ...]:
    reading = read(text, specialists=ROLES, commands=frozenset({"test"}), resources=frozenset())
    assert reading.template is None
    return reading.problems


def planned(text: str, **given: Any) -> Expansion:
    template = template_of(text)
    values, problems = checked(template.parameters, given)
    assert problems == []
    return expand(template, values)


def needs_of(expansion: Expansion) -> dict[str, set[str]]:
    return {subtask.key: set(subtask.dependencies) for subtask in expansion.subtasks}
