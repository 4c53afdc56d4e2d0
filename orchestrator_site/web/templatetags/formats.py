"""Template tags for times, numbers, texts, pages of rows and query strings."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from orchestrator_site.kernel.times import relative_time, short_age
from orchestrator_site.web.advice import advice

register = template.Library()
register.filter(advice)

SHOWN_TEXT = 20_000
_BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_ISOLATE, _POP = "\u2068", "\u2069"


@register.filter
def ago(time: datetime | None) -> SafeString | str:
    if time is None:
        return ""
    exact = time.astimezone(timezone.get_default_timezone())
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        exact.isoformat(timespec="seconds"),
        f"{exact:%Y-%m-%d %H:%M:%S} UTC",
        relative_time(time, timezone.now()),
    )


@register.filter
def age(time: datetime | None) -> SafeString | str:
    """Format the age as short as it is read in a list: 9m, 3h, 2d."""
    if time is None:
        return ""
    exact = time.astimezone(timezone.get_default_timezone())
    iso, shown = exact.isoformat(timespec="seconds"), short_age(time, timezone.now())
    return format_html('<time datetime="{}" title="{}">{}</time>', iso, f"{exact:%Y-%m-%d %H:%M:%S} UTC", shown)


@register.filter
def number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


@register.filter
def count_of(value: int, noun: str) -> str:
    """Format a number with its noun: 1 task, 2 tasks."""
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


@register.filter
def isolate(text: str) -> str:
    """Isolate the direction of a text where no markup can, as in a page title."""
    return f"{_ISOLATE}{text}{_POP}"


@register.filter
def plainly(path: str) -> str:
    """Replace bidirectional control characters, which can make one path look like another, by their names."""
    return _BIDI_CONTROLS.sub(lambda found: f"[U+{ord(found.group()):04X}]", path)


@register.filter
def turns_text(text: str) -> bool:
    return bool(_BIDI_CONTROLS.search(text))


@register.inclusion_tag("_text.html")
def long_text(text: str) -> dict[str, Any]:
    """Show a user's or assistant's text as plain text, truncated if very long."""
    return {"text": text[:SHOWN_TEXT], "shown": SHOWN_TEXT, "whole": len(text), "is_cut": len(text) > SHOWN_TEXT}


@register.inclusion_tag("_pager.html", takes_context=True)
def pager(context: template.Context, rows: Any, noun: str, parameter: str = "page") -> dict[str, Any]:
    query = context["request"].GET.copy()
    links = {}
    for name, page in (("earlier", rows.page - 1), ("later", rows.page + 1)):
        query[parameter] = str(page)
        links[name] = f"?{query.urlencode()}"
    return {"rows": rows, "noun": noun, **links}


@register.simple_tag(takes_context=True)
def with_query(context: template.Context, **changed: Any) -> str:
    """Return this page's query with some parameters replaced; empty ones are removed."""
    query = context["request"].GET.copy()
    for name, value in changed.items():
        query.pop(name, None)
        if value != "":
            query[name] = str(value)
    return f"?{query.urlencode()}"


@register.simple_tag(takes_context=True)
def with_parameter(context: template.Context, name: str, value: Any = "") -> str:
    """Return the first page of this query with one parameter replaced."""
    return with_query(context, page="", **{name: value})


@register.filter
def percent(value: float) -> str:
    return f"{value:.2f}%"


@register.filter
def anchor(value: float) -> str:
    """Return the text anchor that keeps a label at this position within the drawing."""
    return "start" if value < 6 else "end" if value > 94 else "middle"


@register.filter
def exactly(time: datetime) -> str:
    there = time.astimezone(UTC)
    return f"{there.day} {there:%b %Y, %H:%M}"
