"""What the pages of a plan need beyond `board`: links that change a part of their address, places and times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import template

from tasks.selectors.timeline import Stretch

register = template.Library()


@register.simple_tag(takes_context=True)
def with_query(context: template.Context, **changed: Any) -> str:
    """Return this page's query with some parameters set; an empty one is left out."""
    query = context["request"].GET.copy()
    for name, value in changed.items():
        query.pop(name, None)
        if value != "":
            query[name] = str(value)
    return f"?{query.urlencode()}"


@register.filter
def percent(value: float) -> str:
    """Write a place as SVG takes it."""
    return f"{value:.2f}%"


@register.filter
def anchor(value: float) -> str:
    """Which end of a label stands at a place, so that none runs over the edge."""
    return "start" if value < 6 else "end" if value > 94 else "middle"


@register.filter
def exactly(moment: datetime) -> str:
    """Write a moment with its day, to the minute, in UTC."""
    there = moment.astimezone(UTC)
    return f"{there.day} {there:%b %Y, %H:%M}"


@register.filter
def stretch_words(stretch: Stretch) -> str:
    """Say a stretch of work in words, with its exact times."""
    start, end = (f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}" for moment in (stretch.start, stretch.end))
    until = "now" if stretch.outcome == "active" else f"{end} UTC"
    return (
        f"\u2068{stretch.task.title}\u2069, \u2068{stretch.worker}\u2069: {stretch.says.lower()} "
        f"after {stretch.lasted}, {start} UTC to {until}"
    )
