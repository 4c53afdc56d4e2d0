"""Template tags for times, numbers, texts, pages of rows and query strings."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from orchestrator_site.kernel.times import relative_time, short_age
from orchestrator_site.web.advice import advice

register = template.Library()
register.filter(advice)

_BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_ISOLATE, _POP = "\u2068", "\u2069"


@register.filter
def ago(time: datetime | None) -> SafeString | str:
    return _time(time, relative_time(time, timezone.now())) if time else ""


@register.filter
def age(time: datetime | None) -> SafeString | str:
    """Format the age as short as it is read in a list: 9m, 3h, 2d."""
    return _time(time, short_age(time, timezone.now())) if time else ""


def _time(time: datetime, shown: str) -> SafeString:
    """Return a time with the exact one of the reader's time zone in its tooltip."""
    exact = timezone.localtime(time)
    iso, title = exact.isoformat(timespec="seconds"), f"{exact:%Y-%m-%d %H:%M:%S %Z}"
    return format_html('<time datetime="{}" title="{}">{}</time>', iso, title, shown)


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
def named(names: dict[str, str], key: str) -> str:
    """Return the path that goes by a key, as plainly as above, or the key itself."""
    return plainly(names.get(key, key))


@register.filter
def turns_text(text: str) -> bool:
    return bool(_BIDI_CONTROLS.search(text))


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
    there = timezone.localtime(time)
    return f"{there.day} {there:%b %Y, %H:%M}"
