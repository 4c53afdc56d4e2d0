"""How the pages say things: times, numbers, states, progress, long texts and events in words."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from orchestrator_site.kernel.text import shortened
from orchestrator_site.web.advice import advice
from tasks.choices import Complexity, Priority, Status, Verb
from tasks.models import Event
from tasks.selectors.board import Counts

register = template.Library()
register.filter(advice)

SHOWN_TEXT = 20_000
SHOWN_VALUE = 160
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))
_FAR = timedelta(days=30)
_NAMED = {
    "added_dependencies": "now waits for",
    "removed_dependencies": "no longer waits for",
    "artifact_id": "artifact",
    "requires_review": "asks for review",
    "sha256": "SHA-256",
}
"""What events call the facts of a change, where another word is plainer."""
_SHORT_HASH = 12
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
    return "in a moment" if moment > now else "just now"


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


@register.filter
def state(status: str) -> SafeString:
    """Show a state by shape, word and colour."""
    return format_html('<span class="state {0}">{1}<span>{2}</span></span>', status, _shape(status), _word(status))


@register.filter
def state_shape(status: str) -> SafeString:
    """Show a state by its shape where the word has no room; the word stays for those who cannot see."""
    label = '<span class="state {0}" title="{2}">{1}<span class="sr">{2}</span></span>'
    return format_html(label, status, _shape(status), _word(status))


def _shape(status: str) -> SafeString:
    return format_html('<svg aria-hidden="true" width="16" height="16"><use href="#shape-{}"/></svg>', status)


def _word(status: str) -> str:
    return Status(status).label if status in Status.values else status


@register.filter
def bar(counts: Counts) -> SafeString:
    """Draw how many tasks stand in each state; SVG, because widths in style attributes are refused by the CSP."""
    label = f"{counts.done:,} of {counts.total:,} completed"
    return format_html(
        '<svg class="bar" role="img" aria-label="{}" preserveAspectRatio="none"><title>{}</title>{}</svg>',
        label,
        ", ".join(f"{number:,} {_word(status).lower()}" for status, number in counts.states) or "no tasks",
        format_html_join("", '<rect class="{}" x="{}%" width="{}%" height="100%"/>', _segments(counts)),
    )


def _segments(counts: Counts) -> list[tuple[str, str, str]]:
    """Place the states side by side, what is done first and what nobody has begun last."""
    order = [Status.COMPLETED, *(status for status in Status if status not in _AT_THE_ENDS), Status.PENDING]
    segments, start = [], 0.0
    for status in order:
        width = 100 * counts.by_status.get(status, 0) / (counts.total or 1)
        if width:
            segments.append((str(status), f"{start:.2f}", f"{width:.2f}"))
            start += width
    return segments


_AT_THE_ENDS = (Status.COMPLETED, Status.PENDING, Status.CANCELLED)


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


@register.filter
def happened(event: Event) -> str:
    """Say what an event did to the task of the page: `claimed this`, `sent this back for revision`."""
    if event.verb == Verb.COMMENT and event.before:
        return "withdrew a comment"
    return Verb(event.verb).done_to("this") if event.verb in Verb.values else f"{event.verb} this"


@register.filter
def changes(event: Event) -> list[tuple[str, str, str]]:
    """Name what an event changed, with the values before and after in short."""
    names = [*event.before, *(name for name in event.after if name not in event.before)]
    found = [(name, _value(name, event.before.get(name)), _value(name, event.after.get(name))) for name in names]
    return [(_named(name), before, after) for name, before, after in found if before != after]


def _named(fact: str) -> str:
    return _NAMED.get(fact, fact.replace("_", " "))


def _value(name: str, value: Any) -> str:
    if value is None or value == "" or value == []:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (str, int)) and value in _WORDS.get(name, {}):
        return _WORDS[name][value]
    if name == "sha256":
        return str(value)[:_SHORT_HASH]
    if isinstance(value, list):
        return shortened(", ".join(map(str, value)), SHOWN_VALUE)
    return shortened(str(value), SHOWN_VALUE)


_WORDS: dict[str, dict[Any, str]] = {
    "status": dict(Status.choices),
    "priority": dict(Priority.choices),
    "complexity": {value: label.lower() for value, label in Complexity.choices},
}
"""The words for what is stored as a code."""
