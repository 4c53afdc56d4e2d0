"""The home page across all projects: in progress, needing attention, recently delivered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Max, Min, OuterRef, Q, QuerySet, Subquery

from artifacts.models import Artifact
from artifacts.selectors.artifacts import with_size
from artifacts.selectors.cards import SESSION_FIELDS, since_claimed
from tasks.choices import WAITS_FOR_A_PERSON, Status
from tasks.models import Project, Task
from tasks.selectors import counts
from tasks.selectors.rows import ROW_FIELDS

MOVING_ROWS, WAITING_ROWS, ROWS_ALONE, DELIVERED_ROWS = 8, 5, 40, 6

Order = tuple[str, str]
NEWEST: Order = ("-updated_at", "-id")
OLDEST: Order = ("updated_at", "-id")


@dataclass(frozen=True, slots=True)
class Panel:
    """Some tasks of a status, and how many there are, counted up to a limit."""

    status: Status
    tasks: list[Task]
    number: int

    @property
    def count(self) -> str:
        return counts.in_words(self.number)

    @property
    def has_more(self) -> bool:
        return self.number > len(self.tasks)


@dataclass(frozen=True, slots=True)
class Glance:
    moving: Panel
    waiting: list[Panel]
    delivered: list[Any]

    show: str = ""
    others: int = 0

    @property
    def count(self) -> str:
        number = sum(panel.number for panel in self.waiting) + self.others
        return counts.in_words(number) if number else ""

    @property
    def panels(self) -> list[Panel]:
        """What is listed: the tasks of one status, or of each in turn."""
        return [panel for panel in self.waiting if self.show in ("", panel.status)]

    @property
    def has_more(self) -> bool:
        return any(panel.has_more for panel in self.panels) or (not self.show and self.others > WAITING_ROWS)


def glance(projects: Iterable[Project], *, show: str = "", others: int = 0) -> Glance:
    """Return the three lists in a constant number of queries.

    `projects` are recently active ones: they show how far to look in all projects. `show` is a status of which more
    tasks are listed, and of the others none. `others` is how many rows of the inbox are no tasks.
    """
    size = ROWS_ALONE if show else WAITING_ROWS
    reach = _reach([project.pk for project in projects], size)
    moving = _panel(Status.ACTIVE, NEWEST, reach, MOVING_ROWS)
    waiting = [_panel(status, OLDEST, reach, size) for status in WAITS_FOR_A_PERSON]
    delivered = with_size(_first(Artifact.objects.all(), NEWEST, reach["delivered"])).select_related("task", "project")
    return Glance(moving, waiting, list(delivered[:DELIVERED_ROWS]), show, others)


def _reach(projects: list[int], waiting: int) -> dict[str, datetime | None]:
    """Return for each list a time that all of its rows are within; None if unknown.

    An index gives each project's row at the last place of the list, so enough rows are at least as new, or as old.
    Without this bound the database would sort every row of the status in all projects.
    """
    last: dict[str, Max | Min] = {str(Status.ACTIVE): Max(_nth(_standing(Status.ACTIVE), NEWEST, MOVING_ROWS))}
    last |= {str(status): Min(_nth(_standing(status), OLDEST, waiting)) for status in WAITS_FOR_A_PERSON}
    last["delivered"] = Max(_nth(Artifact.objects.all(), NEWEST, DELIVERED_ROWS))
    found: dict[str, datetime | None] = Project.objects.filter(pk__in=projects).order_by().aggregate(**last)
    return found


def _nth(rows: QuerySet[Any], order: Order, number: int) -> Subquery:
    of_project = rows.filter(project=OuterRef("pk")).order_by(order[0])
    return Subquery(of_project.values("updated_at")[number - 1 : number])


def _standing(status: Status) -> QuerySet[Task]:
    tasks = Task.objects.filter(status=status).on_board()
    return tasks.leaves() if status == Status.ACTIVE else tasks


def _first(rows: QuerySet[Any], order: Order, until: datetime | None) -> QuerySet[Any]:
    """Order rows of all projects by their last change; naming the projects lets the database use the index of each."""
    bound = Q(project__in=Project.objects.order_by().values("pk"))
    if until:
        bound &= Q(updated_at__gte=until) if order == NEWEST else Q(updated_at__lte=until)
    return rows.filter(bound).order_by(*order)


def _panel(status: Status, order: Order, reach: dict[str, datetime | None], size: int) -> Panel:
    shown = _first(_standing(status), order, reach[status]).select_related("project", "root", "lease_session")
    named = ("project__slug", "project__name", "root__public_id", "root__title")
    tasks = list(since_claimed(shown.only(*ROW_FIELDS, "reason", "summary", *named, *SESSION_FIELDS))[:size])
    return Panel(status, tasks, counts.count_up_to_limit(status, leaves_only=status == Status.ACTIVE))
