"""Settings of a project that people write by hand."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from tasks.validators import validate_project_settings


@pytest.mark.parametrize("value", [{}, {"lease_minutes": 5}, {"lease_minutes": 0.5, "review": True}])
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
