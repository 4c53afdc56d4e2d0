"""The figures of a project: counted at once on a small board, read as the daily job stored them on a large one."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from itertools import chain
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from maintenance.choices import ScopeWord
from maintenance.models import Handover
from tasks.choices import Status
from tasks.insights import models
from tasks.insights.choices import COUNTS, Dimension, Name
from tasks.insights.facts.figures import ENOUGH, Figure, Sums
from tasks.insights.facts.window import Window
from tasks.insights.selectors.leaves import in_review, leaves_of
from tasks.models import Event, Project, Task
from tasks.project_settings import setting
from tasks.selectors.feed import last_id

__all__ = ["ENOUGH", "Figure", "Figures", "count", "figures_of", "history", "stored_days", "uncounted", "window_of"]

FEW = 1_000
"""Events of a window, and tasks that wait for a review, that are counted at once."""
SEARCHED = 20_000
"""Events of a project among which those of a window are looked for, without an index."""


Reader = Callable[[Dimension], Iterable[Figure]]


class Figures:
    """The figures of the `days` that end with `day`, up to the event `until`.

    Stored ones (`is_stored`) may be of an earlier day; before the first count of a large board there are none. Those of
    a dimension are read when it is asked for.
    """

    def __init__(self, read: Reader, *, day: date, days: int, until: int, is_stored: bool) -> None:
        self.day, self.days, self.until, self.is_stored = day, days, until, is_stored
        self._read = read
        self._known: dict[str, dict[tuple[str, str], Figure]] = {}

    def __iter__(self) -> Iterator[Figure]:
        return chain.from_iterable(map(self.by, Dimension))

    def by(self, dimension: str) -> Iterable[Figure]:
        """Return every figure of a dimension."""
        return self._in(dimension).values()

    def get(self, name: str, dimension: str = Dimension.PROJECT, key: str = "") -> Figure | None:
        return self._in(dimension).get((name, key))

    def of(self, name: str, dimension: str) -> list[Figure]:
        """Return a figure by each key of a dimension, those with the most values first."""
        found = [each for each in self.by(dimension) if each.name == name and each.key]
        return sorted(found, key=lambda each: (-each.n, each.key))

    def _in(self, dimension: str) -> dict[tuple[str, str], Figure]:
        if dimension not in self._known:
            self._known[dimension] = {(each.name, each.key): each for each in self._read(Dimension(dimension))}
        return self._known[dimension]

    @property
    def since(self) -> date:
        return self.day - timedelta(days=self.days - 1)

    @property
    def flow(self) -> list[tuple[date, int, int]]:
        """Return each day of the window, with how many tasks were planned and done on it; none if none was counted."""
        if not self.until:
            return []
        days = [self.day - timedelta(days=back) for back in reversed(range(self.days))]
        return [(day, self._on(day, Name.PLANNED), self._on(day, Name.DONE)) for day in days]

    def _on(self, day: date, name: Name) -> int:
        found = self.get(name, key=day.isoformat())
        return found.n if found else 0


def figures_of(project: Project) -> Figures:
    """Return the newest figures; none where the project switched them off."""
    window = window_of(project)
    if setting(project, "metrics.daily") == "off":
        return Figures(lambda dimension: (), day=window.day, days=window.days, until=0, is_stored=False)
    events = Event.objects.filter(project=project)
    touched, waiting = events.filter(created_at__gte=window.start), in_review(project)
    bounds: list[tuple[QuerySet[Any], int]] = [(events, SEARCHED), (touched, FEW), (waiting, FEW)]
    if any(rows.order_by().values_list("pk")[most : most + 1] for rows, most in bounds):
        return _stored(project, window)
    return count(project, window)


def uncounted(project: Project, figures: Figures) -> str:
    """Say why there are no figures; nothing where they were counted."""
    switch = setting(project, "metrics.daily")
    return "" if figures.until or (switch != "off" and not figures.is_stored) else _UNCOUNTED[switch]


_UNCOUNTED = {
    "off": "Figures are switched off (metrics.daily).",
    "suggest": "This board is large, so its figures are not counted before the page of insights is asked to.",
    "act": "This board is large, so its figures are counted every hour: not counted yet.",
}


def window_of(project: Project) -> Window:
    days, zone = setting(project, "metrics.window_days"), setting(project, "time_zone")
    return Window.ending(timezone.now(), days=days, zone=zone)


def count(project: Project, window: Window) -> Figures:
    """Count the events of a window, up to the last before which none can appear any more."""
    until = last_id()
    sums = Sums(window)
    for leaf in leaves_of(project, window, until=until):
        sums.add(leaf)
    for is_named in _handed_over(project):
        sums.note(Name.HANDOVER_COVERAGE, is_named)
    found: dict[Dimension, list[Figure]] = defaultdict(list)
    for figure in sums.figures():
        found[figure.dimension].append(figure)
    return Figures(found.__getitem__, day=window.day, days=window.days, until=until, is_stored=False)


def _handed_over(project: Project) -> list[bool]:
    """Say of each task that is in hand or waits since before the newest handover whether that names it."""
    handovers = Handover.objects.filter(project=project, scope=ScopeWord.FULL_PROJECT).order_by("-number")
    text, made_at = handovers.values_list("text", "created_at").first() or ("", None)
    if made_at is None:
        return []
    open_ones = Task.objects.filter(project=project, status__in=_OPEN, active_at__lte=made_at)
    named = set(re.findall(r"\w+", text))
    return [key in named for key in open_ones.on_board().leaves().values_list("public_id", flat=True)]


_OPEN = (Status.ACTIVE, Status.IN_REVIEW, Status.NEEDS_REVISION, Status.BLOCKED, Status.FAILED)


def _stored(project: Project, window: Window) -> Figures:
    rows = models.Figure.objects.filter(project=project)
    newest = rows.filter(day__lte=window.day).order_by("-day").values_list("day", "days", "until").first()
    day, days, until = newest or (window.day, window.days, 0)
    columns = ("name", "dimension", "key", "n", "value", "high")

    def read(dimension: Dimension) -> Iterator[Figure]:
        found = rows.filter(day=day, dimension=dimension).order_by()
        return (Figure(Name(name), dimension, *rest) for name, _, *rest in found.values_list(*columns))

    return Figures(read, day=day, days=days, until=until, is_stored=True)


def history(project: Project, name: str, days: int = 30) -> list[tuple[date, float, int]]:
    """Return a figure of the whole project on those of the last days that had enough, with its n; oldest first."""
    first = window_of(project).day - timedelta(days=days - 1)
    return list(stored_days(project).filter(name=name, day__gte=first).values_list("day", "value", "n"))


def stored_days(project: Project) -> QuerySet[models.Figure]:
    """Return what was stored of the whole project, oldest first, without the times and rates of too few."""
    is_enough = Q(n__gte=ENOUGH) | Q(name__in=COUNTS)
    return models.Figure.objects.filter(is_enough, project=project, dimension=Dimension.PROJECT, key="").order_by("day")
