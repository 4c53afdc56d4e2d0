"""Templates in answers: what every entry point says of a parameter, a step and a condition."""

from __future__ import annotations

from typing import Any

from tasks.library.patterns.comparing import Rates
from tasks.library.templating.format import Parameter, Value

Facts = dict[str, Any]


def parameter_facts(about: Parameter) -> Facts:
    """Return what a parameter has to be; what it does not say is left out."""
    facts: Facts = {
        "name": about.name,
        "type": about.type.value,
        "required": about.required or None,
        "default": plain(about.default),
        "choices": list(about.choices) or None,
        "pattern": about.pattern or None,
        "max": about.max,
    }
    return {name: value for name, value in facts.items() if value is not None}


def plain(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value


def rates_facts(rates: Rates) -> Facts:
    """Return shares and subtasks per plan with two places; without what there is nothing to count for."""
    facts = {name: getattr(rates, name) for name in ("completed", "first_pass", "added", "cancelled")}
    rounded = {name: round(value, 2) for name, value in facts.items() if value is not None}
    return rounded | ({} if rates.lead_seconds is None else {"lead_seconds": round(rates.lead_seconds)})
