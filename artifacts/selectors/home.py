"""The home page across all projects: in progress, needing attention, recently delivered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Max, OuterRef, Q, QuerySet, Subquery

from artifacts.models import Artifact
from artifacts.selectors.artifacts import with_size
from artifacts.selectors.cards import since_claimed
from tasks.choices import WAITS_FOR_A_PERSON, Status
from tasks.models import Project, Task
from tasks.selectors import counts
from tasks.selectors.rows import ROW_FIELDS

MOVING_ROWS, WAITING_ROWS, ROWS_ALONE, DELIVERED_ROWS = 8, 5, 40, 6


@dataclass(frozen=True, slots=True)
class Panel:
    """The last changed tasks of a status, and how many there are, counted up to a limit."""

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

    @property
    def count(self) -> str:
        number = sum(panel.number for panel in self.waiting)
        return counts.in_words(number) if number else ""

    @property
    def panels(self) -> list[Panel]:
        """What is listed: the tasks of one status, or of each in turn."""
        return [panel for panel in self.waiting if self.show in ("", panel.status)]

    @property
    def has_more(self) -> bool:
        return any(panel.has_more for panel in self.panels)


def glance(projects: Iterable[Project], *, show: str = "") -> Glance:
    """Return the three lists in a constant number of queries.

    `projects` are recently active ones: they show how far back to look in all projects. `show` is a status of which
    more tasks are listed, and of the others none.
    """
    size = ROWS_ALONE if show else WAITING_ROWS
    since = _reach([project.pk for project in projects], size)
    moving = _panel(Status.ACTIVE, since, MOVING_ROWS)
    waiting = [_panel(status, since, size) for status in WAITS_FOR_A_PERSON]
    delivered = with_size(_newest(Artifact.objects.all(), since["delivered"])).select_related("task", "project")
    return Glance(moving, waiting, list(delivered[:DELIVERED_ROWS]), show)


def _reach(projects: list[int], waiting: int) -> dict[str, datetime | None]:
    """Return for each list a time that is not later than the change of its last row; None if unknown.

    An index gives each project's row at the last place of the list, so enough rows are at least as new. Without this
    bound the database would sort every row of the status in all projects.
    """
    last = {str(Status.ACTIVE): _nth(_standing(Status.ACTIVE), MOVING_ROWS)}
    last |= {str(status): _nth(_standing(status), waiting) for status in WAITS_FOR_A_PERSON}
    last["delivered"] = _nth(Artifact.objects.all(), DELIVERED_ROWS)
    rows = Project.objects.filter(pk__in=projects).order_by()
    found = rows.annotate(**{f"nth_{name}": row for name, row in last.items()})
    latest: dict[str, datetime | None] = found.aggregate(**{name: Max(f"nth_{name}") for name in last})
    return latest


def _nth(rows: QuerySet[Any], number: int) -> Subquery:
    of_project = rows.filter(project=OuterRef("pk")).order_by("-updated_at")
    return Subquery(of_project.values("updated_at")[number - 1 : number])


def _standing(status: Status) -> QuerySet[Task]:
    tasks = Task.objects.filter(status=status).on_board()
    return tasks.leaves() if status == Status.ACTIVE else tasks


def _newest(rows: QuerySet[Any], since: datetime | None) -> QuerySet[Any]:
    """Order rows of all projects by their last change; naming the projects lets the database use the index of each."""
    bound = Q(project__in=Project.objects.order_by().values("pk"))
    return rows.filter(bound & Q(updated_at__gte=since) if since else bound).order_by("-updated_at", "-id")


def _panel(status: Status, since: dict[str, datetime | None], size: int) -> Panel:
    shown = _newest(_standing(status), since[status]).select_related("project", "root", "lease_session")
    named = ("project__slug", "project__name", "root__public_id", "root__title")
    session = ("lease_session__public_id", "lease_session__client_name", "lease_session__client_version")
    tasks = list(since_claimed(shown.only(*ROW_FIELDS, "reason", "summary", *named, *session))[:size])
    return Panel(status, tasks, counts.count_up_to_limit(status, leaves_only=status == Status.ACTIVE))
