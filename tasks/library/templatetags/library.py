"""Template tags for templates: the values of parameters, in words."""

from __future__ import annotations

from typing import Any

from django import template

from orchestrator_site.kernel.text import shortened

register = template.Library()
SHOWN_VALUE = 300


@register.filter
def value_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return shortened(", ".join(map(str, value)) if isinstance(value, list) else str(value), SHOWN_VALUE)
