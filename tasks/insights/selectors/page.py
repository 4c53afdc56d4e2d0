"""The figures of the page of insights in groups: those of the project, or those of what a dimension names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from tasks.insights.addresses import Action, action_of
from tasks.insights.choices import Dimension, Name
from tasks.insights.selectors.figures import Figure, Figures, stored_days
from tasks.insights.wording import UNITS
from tasks.models import Project, Task

GROUPS: dict[str, tuple[Name, ...]] = {
    "Flow": (Name.DONE, Name.PLANNED),
    "Time": (Name.LEAD, Name.WAIT, Name.WORK, Name.REVIEW_WAIT),
    "Quality": (Name.FIRST_PASS, Name.REOPENED, Name.SUCCESS, Name.LEASE_LOSS),
    "Estimates": (Name.ESTIMATE_ERROR, Name.ESTIMATE_COVERAGE),
    "Use per task": (Name.BYTES, Name.TOKENS, Name.COST),
    "Gates and handovers": (Name.GATES_MISSED, Name.GATES_WAIVED, Name.HANDOVER_COVERAGE),
}
DIMENSIONS = (Dimension.PLAN, Dimension.SPECIALIST, Dimension.CLIENT, Dimension.MODEL, Dimension.TEMPLATE)
KEYS_SHOWN, TREND_DAYS = 25, 60


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of the project, how it went over the days that were stored, and what to do about it."""

    figure: Figure
    action: Action
    most: float
    """The greatest 90th percentile of its unit in its group, to which charts are drawn."""
    trend: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Line:
    """What a dimension names, such as a specialist: its figures in the order of the table, and the most of each."""

    key: str
    label: str
    cells: list[tuple[Name, Figure | None, float]]


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    names: list[Name]
    lines: list[Line]


def groups(project: Project, figures: Figures) -> dict[str, list[Row]]:
    made: dict[str, list[Row]] = {}
    if not any(each.n for each in figures.by(Dimension.PROJECT)):
        return made
    trends = _trends(project, figures.day)
    for title, names in GROUPS.items():
        found = [figure for name in names if (figure := figures.get(name))]
        for each in found:
            most = _most(other for other in found if UNITS[other.name] is UNITS[each.name])
            row = Row(each, action_of(each.name), most, trends.get(each.name, []))
            made.setdefault(title, []).append(row)
    return made


def _most(figures: Iterable[Figure]) -> float:
    return max((each.high or 0 for each in figures if each.is_enough), default=0)


def _trends(project: Project, until: date) -> dict[str, list[float]]:
    """Return what was stored of every figure of a project, oldest first, in one query."""
    days = [until - timedelta(days=back) for back in range(TREND_DAYS)]  # each is a place in the index
    found: dict[str, list[float]] = {}
    for name, value in stored_days(project).filter(day__in=days).values_list("name", "value"):
        found.setdefault(name, []).append(value)
    return found


def tables(project: Project, figures: Figures, dimension: Dimension) -> list[Table]:
    """Return the figures by a dimension: its most frequent keys in the order of their names, never of their rates."""
    cells = {(each.name, each.key): each for each in figures.by(dimension) if each.key}
    weight: dict[str, int] = {}
    for (_, key), figure in cells.items():
        weight[key] = max(weight.get(key, 0), figure.n)
    keys = sorted(weight, key=lambda key: (-weight[key], key))[:KEYS_SHOWN]
    labels = {**dict(zip(keys, keys, strict=True)), **(_titles(project, keys) if dimension == Dimension.PLAN else {})}
    return list(_tables(cells, sorted(labels.items(), key=lambda each: (each[1].casefold(), each[0]))))


def _tables(cells: dict[tuple[Name, str], Figure], keys: list[tuple[str, str]]) -> Iterator[Table]:
    for title, names in GROUPS.items():
        known = [name for name in names if any((name, key) in cells for key, _ in keys)]
        most = {name: _most(figure for (other, _), figure in cells.items() if other == name) for name in known}
        lines = [
            Line(key, label, [(name, cells.get((name, key)), most[name]) for name in known]) for key, label in keys
        ]
        if known:
            yield Table(title, known, lines)


def _titles(project: Project, keys: list[str]) -> dict[str, str]:
    plans = Task.objects.filter(project=project, public_id__in=keys)
    return dict(plans.values_list("public_id", "title"))
