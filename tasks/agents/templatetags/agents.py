"""Template tags for runs of agents: their states, phases, context, cost and the steps of their log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django import template
from django.contrib.auth.models import AnonymousUser, User
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.templatetags.ui import icon
from tasks.agents.choices import ENDED, WORKING, RunState
from tasks.agents.models import Run
from tasks.agents.selectors import pages
from tasks.agents.selectors.isolation import isolation_of
from tasks.models import Task

register = template.Library()
register.simple_tag(pages.runs_of, name="runs_of")
register.filter(pages.lasted)

_SHAPES: dict[str, str] = {
    RunState.QUEUED: "pending",
    RunState.ASKING: "blocked",
    RunState.RATE_LIMITED: "needs_revision",
    RunState.SUCCEEDED: "completed",
    RunState.KILLED: "cancelled",
    RunState.INTERRUPTED: "cancelled",
    **dict.fromkeys((RunState.FAILED, RunState.TIMED_OUT, RunState.LOST, RunState.TAMPERED), "failed"),
}
_STEPS = {
    "started": "play",  # icon: play
    "said": "message-square",  # icon: message-square
    "tool_use": "terminal",  # icon: terminal
    "tool_result": "terminal",
    "asks": "shield-question-mark",  # icon: shield-question-mark
    "denied": "ban",  # icon: ban
    "retry": "repeat",  # icon: repeat
    "rate_limited": "hourglass",  # icon: hourglass
    "compacted": "layers",  # icon: layers
    "message": "send",  # icon: send
    "warned": "message-circle-question-mark",  # icon: message-circle-question-mark
}
_HEADS = {
    "started": "Started",
    "asks": "Asks to use",
    "denied": "Was not allowed to use",
    "retry": "The model did not answer",
    "rate_limited": "Waits",
    "compacted": "Replaced its conversation by a summary",
    "warned": "Warning",
    "ended": "Came to an end",
}


@register.simple_tag(takes_context=True)
def may_run(context: template.Context, task: Task) -> bool:
    """Whether whoever looks may start runs for a task, and the project allows them."""
    user: User | AnonymousUser = context["user"]
    return Scope.WRITE in scopes_of(user) and pages.may_have_run(task) and isolation_of(task.project)[0]


@register.filter
def run_class(state: str) -> str:
    """Return the class of the task's state whose shape and color a run's state has."""
    return _SHAPES.get(state, "active")


@register.filter
def run_state(run: Run) -> SafeString:
    """Draw the state of a run as a pill."""
    shape = run_class(run.state)
    drawn = '<span class="state pill {}" data-state="{}">{}<span>{}</span></span>'
    return format_html(drawn, shape, run.state, icon(shape, kind="g"), run.get_state_display())


@register.filter
def run_shape(run: Run) -> SafeString:
    shape = run_class(run.state)
    drawn = '<span class="state {}" title="{}">{}<span class="sr">{}</span></span>'
    word = run.get_state_display()
    return format_html(drawn, shape, word, icon(shape, kind="g"), word)


@register.filter
def usd(amount: Decimal | str | None) -> str:
    return "" if amount is None or amount == "" else f"${Decimal(amount):,.2f}"


@register.filter
def tokens(number: int | None) -> str:
    """Format a number of tokens for people: 950, 84k, 1.2M."""
    number = number or 0
    if number < 1_000:
        return str(number)
    return f"{number / 1_000:.0f}k" if number < 999_500 else f"{number / 1_000_000:.1f}M"


@register.filter
def duration(time: timedelta | None) -> str:
    if time is None:
        return ""
    seconds = max(0, int(time.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 3600 else f"{seconds // 3600} h {seconds % 3600 // 60} min"


@register.filter
def clock(time: datetime | None) -> SafeString | str:
    if time is None:
        return ""
    there = timezone.localtime(time)
    iso, title = there.isoformat(timespec="milliseconds"), f"{there:%Y-%m-%d %H:%M:%S %Z}"
    return format_html('<time datetime="{}" title="{}">{}</time>', iso, title, f"{there:%H:%M:%S}")


@register.simple_tag
def gauge(run: Run) -> SafeString:
    """Draw how full the context is, with a line at its peak."""
    size = max(run.context_size, run.context_peak, 1)
    label = f"{run.context_used:,} of {run.context_size:,} tokens, at most {run.context_peak:,}"
    used, peak = (f"{100 * number / size:.2f}" for number in (run.context_used, run.context_peak))
    return format_html(
        '<svg class="bar gauge" role="img" aria-label="{0}" preserveAspectRatio="none"><title>{0}</title>'
        '<rect class="used" width="{1}%" height="100%"/><rect class="peak" x="{2}%" width="2" height="100%"/></svg>',
        label, used, peak,
    )  # fmt: skip


@register.simple_tag
def phases_bar(phases: Sequence[pages.Phase]) -> SafeString:
    """Draw how long a run was in each state."""
    shown = [phase for phase in phases if phase.state not in ENDED]
    if not shown:
        return SafeString("")
    now = timezone.now()
    begin, end = shown[0].start, shown[-1].end or now
    whole = max(end - begin, timedelta(seconds=1))
    rects = [
        (
            run_class(phase.state),
            f"{100 * (phase.start - begin) / whole:.2f}",
            f"{max(100 * ((phase.end or now) - phase.start) / whole, 0.3):.2f}",
            f"{phase.state.label}, {duration((phase.end or now) - phase.start)}",
        )
        for phase in shown
    ]
    label = "; ".join(words.lower() for *_, words in rects)
    drawn = '<rect class="{}" x="{}%" width="{}%" height="100%"><title>{}</title></rect>'
    svg = '<svg class="bar phases" role="img" aria-label="Phases: {}" preserveAspectRatio="none">{}</svg>'
    return format_html(svg, label, format_html_join("", drawn, rects))


@register.filter
def is_working(run: Run) -> bool:
    return run.state in WORKING


@register.filter
def step_icon(kind: str) -> str:
    return _STEPS.get(kind, "circle-check")  # icon: circle-check


@register.filter
def step_head(kind: str) -> str:
    """Return the words before what a step says; none where it speaks for itself."""
    return _HEADS.get(kind, "")


@register.filter
def limit_of(run: Run, name: str) -> Any:
    return run.limits.get(name, "")


@register.filter
def named_errors(errors: dict[str, list[str]], name: str) -> list[str]:
    return errors.get(name, [])


@register.filter
def words_of_comment(text: str) -> str:
    """Return a comment without the place and the line that it is about, beside which it is shown."""
    return text.partition("\n\n")[2] or text
