"""Template tags for times, numbers, texts, pages of rows and query strings."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from orchestrator_site.web.advice import advice

register = template.Library()
register.filter(advice)

SHOWN_TEXT = 20_000
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))
_FAR = timedelta(days=30)
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_ISOLATE, _POP = "\u2068", "\u2069"


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """Say when something was or will be as people do, with the exact time in reach."""
    if moment is None:
        return ""
    exact = moment.astimezone(timezone.get_default_timezone())
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        exact.isoformat(timespec="seconds"),
        f"{exact:%Y-%m-%d %H:%M:%S} UTC",
        relative(moment, timezone.now()),
    )


def relative(moment: datetime, now: datetime) -> str:
    """Say a time relative to now; far ones as a date."""
    distance = abs(now - moment)
    if distance > _FAR:
        return f"{moment.day} {moment:%b %Y}"
    for seconds, unit in _UNITS:
        number = int(distance.total_seconds()) // seconds
        if number:
            words = f"{number} {unit}{'s' if number > 1 else ''}"
            return f"in {words}" if moment > now else f"{words} ago"
    return "in less than a minute" if moment > now else "just now"


@register.filter
def number(value: int | None) -> str:
    """Write a number with its thousands apart."""
    return "" if value is None else f"{value:,}"


@register.filter
def count_of(value: int, noun: str) -> str:
    """Write a number with its noun: 1 task, 2 tasks."""
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


@register.filter
def isolate(text: str) -> str:
    """Keep a text's direction to itself where no markup can, as in a page title."""
    return f"{_ISOLATE}{text}{_POP}"


@register.filter
def plainly(path: str) -> str:
    """Name the characters that would turn a path around and make one file look like another."""
    return _TURNING.sub(lambda found: f"[U+{ord(found.group()):04X}]", path)


@register.filter
def turns_text(text: str) -> bool:
    """Whether a text holds characters that change the order in which it is shown."""
    return bool(_TURNING.search(text))


@register.inclusion_tag("_text.html")
def long_text(text: str) -> dict[str, Any]:
    """Show a person's or an assistant's text as text, cut where it would drown the page."""
    return {"text": text[:SHOWN_TEXT], "shown": SHOWN_TEXT, "whole": len(text), "is_cut": len(text) > SHOWN_TEXT}


@register.inclusion_tag("_pager.html", takes_context=True)
def pager(context: template.Context, rows: Any, noun: str, parameter: str = "page") -> dict[str, Any]:
    """Show which rows of how many these are, and links to the next and earlier ones that keep the filters."""
    query = context["request"].GET.copy()
    links = {}
    for name, page in (("earlier", rows.page - 1), ("later", rows.page + 1)):
        query[parameter] = str(page)
        links[name] = f"?{query.urlencode()}"
    return {"rows": rows, "noun": noun, **links}


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
