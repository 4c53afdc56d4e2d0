"""Validators of model fields."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

LEASE_MINUTES_LIMIT = 24 * 60
KNOWN = ("lease_minutes", "review", "self_approval", "mirror")


def validate_project_settings(value: Any) -> None:
    """Check a project's settings: `lease_minutes` (minutes, up to a day), `review`, `self_approval` and `mirror`.

    Raises ValidationError; its code is the name of the invalid setting.
    """
    if not isinstance(value, dict):
        raise ValidationError("Must be an object, for example {}.", code="invalid")
    unknown = sorted(set(value) - set(KNOWN))
    if unknown:
        raise ValidationError(f"Unknown setting: {', '.join(unknown)}. Allowed: {', '.join(KNOWN)}.", code="invalid")
    minutes = value.get("lease_minutes", 1)
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not 0 < minutes <= LEASE_MINUTES_LIMIT:
        raise ValidationError(f"lease_minutes must be a number up to {LEASE_MINUTES_LIMIT}.", code="lease_minutes")
    for name in ("review", "self_approval", "mirror"):
        if not isinstance(value.get(name, False), bool):
            raise ValidationError(f"{name} must be true or false.", code=name)
