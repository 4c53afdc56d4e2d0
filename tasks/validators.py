"""Validators of model fields."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

from tasks.project_settings.schema import problems_of


def validate_project_settings(value: Any) -> None:
    """Check a project's settings against their schema. Raises ValidationError with a message for each problem."""
    if problems := problems_of(value):
        raise ValidationError([ValidationError(_said(each), code="invalid") for each in problems])


def _said(problem: dict[str, Any]) -> str:
    allowed = f"; allowed: {', '.join(problem['allowed'])}" if problem.get("allowed") else ""
    return f"{problem['at']} {problem['problem']}{allowed}."
