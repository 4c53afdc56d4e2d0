"""Template tags for statuses, progress, events and timelines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from orchestrator_site.kernel.text import shortened
from orchestrator_site.kernel.times import relative_time
from orchestrator_site.web.templatetags.formats import exactly, isolate
from orchestrator_site.web.templatetags.ui import avatar, icon
from tasks.choices import CLAIMABLE, Complexity, Priority, Status, Verb
from tasks.effort import words_of
from tasks.models import Event, Task
from tasks.selectors.rows import Counts
from tasks.selectors.timeline import Stretch

register = template.Library()

SHOWN_VALUE = 160
_NAMED = {
    "added_dependencies": "added dependencies",
    "removed_dependencies": "removed dependencies",
    "artifact_id": "artifact",
    "requires_review": "review required",
    "due_at": "due",
    "not_before": "deferred until",
    "sha256": "SHA-256",
}
"""Labels of changed facts, where their name is not plain."""
_SHORT_HASH = 12
_TIMES = ("due_at", "not_before")


@register.filter
def state(status: str) -> SafeString:
    return format_html('<span class="state {0}">{1}<span>{2}</span></span>', status, _shape(status), _word(status))


@register.filter
def state_pill(status: str) -> SafeString:
    return format_html('<span class="state pill {0}">{1}<span>{2}</span></span>', status, _shape(status), _word(status))


@register.filter
def state_shape(status: str) -> SafeString:
    """Show a status by its shape where space is short; screen readers still get the word."""
    label = '<span class="state {0}" title="{2}">{1}<span class="sr">{2}</span></span>'
    return format_html(label, status, _shape(status), _word(status))


@register.simple_tag
def task_shape(task: Task) -> SafeString:
    """Show the status of a task by its shape; that of one which cannot be claimed yet is a dashed ring."""
    is_waiting = task.status == Status.PENDING and task.is_leaf and not task.is_ready
    return icon("waiting" if is_waiting else task.status, "Not ready" if is_waiting else _word(task.status), "g")


@register.filter
def held_back(task: Task) -> str:
    """Say when a task that can be claimed may start, and for which client and model it is, where that was decided."""
    if task.status not in CLAIMABLE:
        return ""
    when = f"may start {relative_time(timezone.localtime(task.not_before), timezone.now())}" if task.not_before else ""
    whom = " ".join(isolate(name) for name in (task.for_client, task.for_model) if name)
    words = ", ".join(filter(None, (when, whom and f"for {whom}")))
    return words[:1].upper() + words[1:]


@register.simple_tag
def holder(task: Task, size: str = "") -> SafeString:
    """Draw who holds a task: an assistant, with whom it acts for, or a person."""
    session = task.lease_session
    return avatar(session.principal, task.lease_holder, size) if session else avatar(task.lease_holder, size=size)


def _shape(status: str) -> SafeString:
    return icon(status, kind="g")


@register.filter("state_word")
def _word(status: str) -> str:
    return Status(status).label if status in Status.values else status


@register.filter
def bar(counts: Counts) -> SafeString:
    """Draw the number of tasks by status; in SVG, because the CSP rejects widths in style attributes."""
    label = f"{counts.done:,} of {counts.total:,} completed"
    return format_html(
        '<svg class="bar" role="img" aria-label="{}" preserveAspectRatio="none"><title>{}</title>{}</svg>',
        label,
        ", ".join(f"{number:,} {_word(status).lower()}" for status, number in counts.states) or "no tasks",
        format_html_join("", '<rect class="{}" x="{}%" width="{}%" height="100%"/>', _segments(counts)),
    )


def _segments(counts: Counts) -> list[tuple[str, str, str]]:
    order = [Status.COMPLETED, *(status for status in Status if status not in _AT_THE_ENDS), Status.PENDING]
    segments, start = [], 0.0
    for status in order:
        width = 100 * counts.by_status.get(status, 0) / (counts.total or 1)
        if width:
            segments.append((str(status), f"{start:.2f}", f"{width:.2f}"))
            start += width
    return segments


_AT_THE_ENDS = (Status.COMPLETED, Status.PENDING, Status.CANCELLED)


@register.filter
def verb_icon(verb: str) -> str:
    return _ICONS.get(verb, "pencil")


_ICONS: dict[str, str] = {
    Verb.PLAN: "list-tree",  # icon: list-tree
    Verb.SPLIT: "list-tree",
    Verb.CLAIM: "play",  # icon: play
    Verb.START: "play",
    Verb.RELEASE: "undo-2",  # icon: undo-2
    Verb.DELIVER: "file-text",
    Verb.COMPLETE: "check",  # icon: check
    Verb.FINISH: "check",
    Verb.APPROVE: "check",
    Verb.REQUEST_REVISION: "undo-2",
    Verb.BLOCK: "message-circle-question-mark",
    Verb.UNBLOCK: "play",
    Verb.FAIL: "x",
    Verb.CANCEL: "ban",  # icon: ban
    Verb.RETRY: "repeat",  # icon: repeat
    Verb.ARCHIVE: "archive",  # icon: archive
    Verb.RESTORE: "archive",
    Verb.DEPENDENCY_ARCHIVED: "archive",
    Verb.DEPENDENCY_RESTORED: "archive",
    Verb.COMMENT: "message-square",  # icon: message-square
}


@register.filter
def happened(event: Event) -> str:
    if event.verb == Verb.COMMENT and event.before:
        return "deleted a comment"
    return Verb(event.verb).done_to("this") if event.verb in Verb.values else f"{event.verb} this"


@register.filter
def verbs(events: Sequence[Event]) -> str:
    """Say what happened in several events, each verb once."""
    return ", ".join(dict.fromkeys(map(verb_label, events)))


@register.filter
def verb_label(event: Event) -> str:
    return Verb(event.verb).label if event.verb in Verb.values else event.verb


@register.filter
def changes(event: Event) -> list[tuple[str, str, str]]:
    names = event.before | event.after
    found = [(name, _value(name, event.before.get(name)), _value(name, event.after.get(name))) for name in names]
    return [
        (_NAMED.get(name, name.replace("_", " ")), before, after) for name, before, after in found if before != after
    ]


def _value(name: str, value: Any) -> str:
    if value is None or value == "" or value == []:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (str, int)) and value in _WORDS.get(name, {}):
        return _WORDS[name][value]
    if name in _TIMES and isinstance(value, str):
        return exactly(datetime.fromisoformat(value))
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
"""Labels of stored codes."""


@register.filter
def estimate(task: Task) -> str:
    """Return the effort in numbers, or in the planner's words where those are not clear."""
    return task.effort if task.effort_minutes is None else words_of(task.effort_minutes)


@register.filter
def stretch_words(stretch: Stretch) -> str:
    start, end = (f"{timezone.localtime(time):%Y-%m-%d %H:%M:%S %Z}" for time in (stretch.start, stretch.end))
    goes_on = timezone.now() - stretch.end < timedelta(seconds=10)  # the page is made after the rows were read
    until = "now" if goes_on else end
    who, link = (f", \u2068{stretch.worker}\u2069", "after") if stretch.worker else ("", "for")
    return f"\u2068{stretch.task.title}\u2069{who}: {stretch.says.lower()} {link} {stretch.lasted}, {start} to {until}"
