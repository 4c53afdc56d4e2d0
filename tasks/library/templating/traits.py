"""Traits: gates and reviews that several steps share. They add, and relax nothing that a step has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tasks.choices import Rung
from tasks.gates.definition import GATES_LIMIT, with_defaults
from tasks.library.templating.fields import Fields
from tasks.library.templating.format import Problem, Step, Trait

Gate = Mapping[str, Any]


def with_traits(steps: tuple[Step, ...], traits: tuple[Trait, ...], fields: Fields) -> tuple[Step, ...]:
    """Return the steps with what traits add to them; a trait that names no step here is a problem."""
    return tuple(_with(step, [trait for trait in traits if _is_for(trait, step)], fields) for step in steps)


def _is_for(trait: Trait, step: Step) -> bool:
    is_for_all = not trait.specialists and not trait.steps
    return is_for_all or step.specialist in trait.specialists or step.key in trait.steps


def _with(step: Step, traits: list[Trait], fields: Fields) -> Step:
    if not traits:
        return step
    gates = list(step.gates)
    for trait in traits:
        if differing := [gate["name"] for gate in trait.gates if any(_differ(gate, own) for own in gates)]:
            wrong = f"a trait has another gate {differing[0]!r} for {step.key!r}; give one of them another name"
            fields.problems.append(Problem(step.line, wrong))
        gates = with_defaults(gates, list(trait.gates))
    if len(gates) > GATES_LIMIT:
        fields.problems.append(Problem(step.line, f"has {len(gates)} gates with its traits, {GATES_LIMIT} are allowed"))
    return replace(step, gates=tuple(gates), review=True if any(trait.review for trait in traits) else step.review)


def _differ(one: Gate, other: Gate) -> bool:
    """Whether two gates have one name but ask for different things; of two rungs of evidence, the higher one counts."""
    mine, others = ({**each, "rung": each["rung"] == Rung.APPROVED.label} for each in (one, other))
    return one["name"] == other["name"] and mine != others
