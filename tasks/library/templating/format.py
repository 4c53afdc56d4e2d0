"""What a template is: typed parameters, and steps that become subtasks. `reading.py` makes one of its YAML."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

STEPS_LIMIT = 500
PARAMETERS_LIMIT = 50
NEEDS_LIMIT = 200
"""Of a step."""
TRAITS_LIMIT = 20
ITEMS_LIMIT = 50
"""Of a list parameter, and so of the tasks that one step with `for_each` becomes."""
TEXT_LIMIT = 64 * 1024
"""Bytes of a template."""
NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
"""Of a template, and of a step."""
PARAMETER_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
ITEM = "item"
"""The placeholder for one item of a list, in the texts of a step with `for_each`."""
PREVIOUS = "previous"
"""What a step with `for_each` needs so that its tasks follow one another."""
Value = str | int | bool | tuple[str, ...] | None
"""Of a parameter; None where it has none."""


class Type(StrEnum):
    """A string is one line; a text may have several; a list is one of strings."""

    STRING = "string"
    TEXT = "text"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Parameter:
    """`max` bounds the characters of a string or text, an integer, or the items of a list."""

    name: str
    type: Type = Type.STRING
    description: str = ""
    required: bool = False
    default: Value = None
    choices: tuple[str, ...] = ()
    pattern: str = ""
    max: int | None = None
    line: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Condition:
    """`param` asks whether a parameter has a value, is true, equals one or is in several; the others join conditions.

    `kind` is `param`, `equals`, `in`, `not`, `all` or `any`.
    """

    kind: str
    param: str = ""
    values: tuple[Value, ...] = ()
    parts: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """A subtask, or with `for_each` one for each item. `gates` are stored ones, those of traits included."""

    key: str
    line: int
    title: str
    description: str
    specialist: str
    needs: tuple[str, ...] = ()
    condition: Condition | None = None
    for_each: str = ""
    priority: int | None = None
    complexity: str = ""
    effort: str = ""
    context: str = ""
    review: bool | None = None
    gates: tuple[dict[str, Any], ...] = ()
    paths: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trait:
    """What several steps have in common: it adds gates and review, and takes nothing away. Empty: every step."""

    specialists: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    gates: tuple[dict[str, Any], ...] = ()
    review: bool = False
    line: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Template:
    """`title` and `description` become the plan's; `when` says what it is for."""

    name: str
    title: str
    version: str = ""
    when: str = ""
    description: str = ""
    parameters: dict[str, Parameter] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    traits: tuple[Trait, ...] = ()
    title_line: int = field(default=1, compare=False)
    description_line: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Problem:
    line: int
    problem: str
    allowed: tuple[str, ...] = ()

    def said(self, file: str) -> str:
        allowed = f"; allowed: {', '.join(self.allowed)}" if self.allowed else ""
        return f"{file}, line {self.line}: {self.problem}{allowed}"

    def as_dict(self) -> dict[str, Any]:
        return {"at": f"line {self.line}", "problem": self.problem, "allowed": list(self.allowed)}
