"""Template tags for figures: values with their units, charts, and where they lead."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tasks.insights import charts
from tasks.insights.addresses import Action, tasks_address, tasks_words
from tasks.insights.choices import Name
from tasks.insights.selectors.figures import Figure
from tasks.insights.selectors.routing import Answer
from tasks.insights.wording import in_words
from tasks.models import Project

register = template.Library()


@register.filter
def figure_label(name: str) -> str:
    return Name(name).label


@register.filter
def figure_value(figure: Figure) -> str:
    """Return a figure in words; one of too few stays hidden."""
    return in_words(figure.name, figure.value) if figure.is_enough else f"too few (n {figure.n})"


@register.filter
def figure_high(figure: Figure) -> str:
    return in_words(figure.name, figure.high) if figure.is_enough and figure.high is not None else ""


@register.simple_tag
def figure_reach(figure: Figure | None, most: float) -> SafeString:
    """Draw the median and the 90th percentile of a figure that has one."""
    if figure is None or figure.high is None or not figure.is_enough:
        return SafeString("")
    words = f"{figure_label(figure.name)}: half within {figure_value(figure)}, 90th percentile {figure_high(figure)}"
    return charts.reach(words, figure.value, figure.high, most)


@register.simple_tag(takes_context=True)
def figure_cell(
    context: dict[str, Any], project: Project, name: Name, figure: Figure | None, most: float, line: str
) -> SafeString:
    """Draw a figure of a line in a table: its value, which leads to its tasks, its n and its range.

    In one tag, because a page has hundreds.
    """
    narrow = format_html('<span class="narrow muted">{} </span>', name.label)
    if figure is None:
        return format_html('{}<span class="muted">\u2013</span>', narrow)
    label, address = name.label.lower(), figure_tasks(context, project, figure)
    link = '{}<a class="number" href="{}">{}<span class="sr">, {} of \u2068{}\u2069: show {}</span></a> '
    shown = format_html(link, narrow, address, figure_value(figure), label, line, figure_shows(figure))
    if figure.is_count or not figure.is_enough:
        return shown
    high = f", 90th percentile {figure_high(figure)}" if figure.high is not None else ""
    return format_html(
        '{}<span class="hint number">n {}{}</span>{}', shown, f"{figure.n:,}", high, figure_reach(figure, most)
    )


@register.simple_tag(takes_context=True)
def figure_tasks(context: dict[str, Any], project: Project, figure: Figure) -> str:
    return tasks_address(project, figure.name, figure.dimension, figure.key, context["figures"].since)


@register.filter
def figure_shows(figure: Figure) -> str:
    return tasks_words(figure.name, figure.dimension)


@register.simple_tag
def action_address(action: Action, project: Project) -> str:
    return action.address(project)


@register.simple_tag
def trend(figure: Figure, values: list[float]) -> SafeString:
    """Draw the days that were stored, for a figure that is shown."""
    if not figure.is_enough or not values:
        return SafeString("")
    least, most = (in_words(figure.name, of(values)) for of in (min, max))
    return charts.line(f"{figure_label(figure.name)} on {len(values)} days: between {least} and {most}", values)


@register.simple_tag
def day_bars(days: list[tuple[date, int, int]]) -> SafeString:
    return charts.bars("Tasks completed per day", [(f"{day.day} {day:%b}", done) for day, _, done in days])


@register.filter
def most_done(days: list[tuple[date, int, int]]) -> int:
    return max(done for _, _, done in days)


@register.filter
def because(answer: Answer) -> str:
    """Say why a specialist was suggested, in the words of its strongest reasons."""
    reasons = [_REASONS[each.kind].format(each.text) for each in answer.factors if each.weight > 0]
    taught = f", learned from {answer.n:,} tasks" if answer.source in ("learned", "both") else ""
    return f", because {' and '.join(reasons[:2])}{taught}." if reasons else ". No rule matches the title."


_REASONS = {
    "rule": "the title says \u201c{}\u201d",
    "word": "it says \u201c{}\u201d",
    "prior": "it is frequent here",
}


@register.filter
def as_share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


@register.filter
def plain_number(value: float) -> str:
    """Format a number for programs, whatever the language of the page."""
    return repr(value)
