"""Settings of a project that people write by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from tasks.validators import validate_project_settings

GATES = {"commands": {"test": {"argv": ["make", "test"], "report": "junit.xml"}}, "default": ["review"]}
ODD = (None, 1, "", "Moon/Base", [], {}, [{}], {"a": []})


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"lease_minutes": 5},
        {"lease_minutes": 0.5, "review": True},
        {"time_zone": "Europe/Berlin", "gates": GATES},
    ],
)
def test_good_settings_are_accepted(value: dict[str, Any]) -> None:
    validate_project_settings(value)


@pytest.mark.parametrize(
    "value",
    [
        [],
        None,
        {"lease": 5},
        {"lease_minutes": "5"},
        {"lease_minutes": 0},
        {"lease_minutes": -1},
        {"lease_minutes": 10**9},
        {"lease_minutes": True},
        {"review": "yes"},
    ],
)
def test_bad_settings_are_refused_with_what_is_wanted(value: Any) -> None:
    with pytest.raises(ValidationError):
        validate_project_settings(value)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    "settings",
    [
        lambda odd: {"time_zone": odd},
        lambda odd: {"gates": {"default": [odd]}},
        lambda odd: {"gates": {"default": [{"kind": odd}]}},
        lambda odd: {"gates": {"default": [{"kind": "report", "rung": odd}]}},
        lambda odd: {"gates": {"default": [{"kind": "report", "name": odd}]}},
        lambda odd: {"gates": {"default": [{"command": odd}]}},
        lambda odd: {"gates": {"default": [{"kind": "report", "max_skipped": [odd]}]}},
        lambda odd: {"gates": {"commands": {"test": odd}}},
        lambda odd: {"gates": {"commands": {"test": {"argv": odd}}}},
        lambda odd: {"gates": {"commands": {"test": {"argv": ["make"], "timeout_seconds": [odd]}}}},
        lambda odd: {"gates": {"commands": {"Test it": {"argv": ["make"]}}}},
        lambda odd: {"gates": {"more": odd}},
    ],
)
def test_odd_values_in_settings_are_refused_and_break_nothing(settings: Callable[[Any], Any], odd: Any) -> None:
    with pytest.raises(ValidationError):
        validate_project_settings(settings(odd))
