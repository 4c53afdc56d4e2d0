"""Template tags for patterns: shares and times."""

from __future__ import annotations

from datetime import timedelta

from django import template

from tasks.graph.time_axis import lasting

register = template.Library()


@register.filter
def share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


@register.filter
def lasts(seconds: float | None) -> str:
    return "" if seconds is None else lasting(timedelta(seconds=seconds))
