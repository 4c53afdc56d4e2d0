"""Sessions with what they hold, did and cost, in a constant number of queries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum

from tasks.choices import Verb
from tasks.models import Event, Project, Session, Task, ToolUse
from tasks.selectors.rows import Rows, page_of

SESSIONS_PER_PAGE, EVENTS_PER_PAGE = 25, 50
HELD_ROWS, HELD_SHOWN = 500, 2
EVENTS_COUNTED = 1_000
LOOKED_AT = 1_000  # the newest sessions of a list count towards its totals
DELIVERED_FROM, DELIVERED_SHOWN = 2_000, 20
_SUMS = ("calls", "errors", "repaired", "bytes_received", "bytes_sent")
_SUMMED: dict[str, Any] = {f"sum_{name}": Sum(name) for name in _SUMS}


@dataclass(slots=True)
class Cost:
    name: str = ""
    calls: int = 0
    errors: int = 0
    repaired: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    largest: int = 0  # the most calls of any row of the same table, for the width of bars

    @property
    def error_percent(self) -> int:
        """Errors per hundred calls; at least 1 if there are any."""
        return max(round(100 * self.errors / self.calls), int(bool(self.errors))) if self.calls else 0

    @property
    def bytes_per_call(self) -> int:
        return self.bytes_sent // self.calls if self.calls else 0

    @property
    def good_width(self) -> str:
        return f"{100 * (self.calls - self.errors) / (self.largest or 1):.2f}"

    @property
    def bad_width(self) -> str:
        return f"{100 * self.errors / (self.largest or 1):.2f}"


@dataclass(frozen=True, slots=True)
class SessionRow:
    session: Session
    held: list[Task]
    events: int | None
    cost: Cost

    @property
    def held_shown(self) -> list[Task]:
        return self.held[:HELD_SHOWN]

    @property
    def held_more(self) -> int:
        return max(len(self.held) - HELD_SHOWN, 0)


@dataclass(frozen=True, slots=True)
class Filters:
    project: Project | None = None
    open: bool = False
    client: str = ""

    @property
    def any(self) -> bool:
        return bool(self.project or self.open or self.client)

    def narrow(self) -> QuerySet[Session]:
        rows = Session.objects.order_by("-id")
        if self.project is not None:
            rows = rows.filter(project=self.project)
        if self.open:
            rows = rows.filter(ended_at__isnull=True)
        return rows.filter(client_name__icontains=self.client) if self.client else rows


def sessions(filters: Filters, *, page: int) -> Rows[SessionRow]:
    rows = page_of(filters.narrow().select_related("project"), page=page, size=SESSIONS_PER_PAGE)
    keys = [session.pk for session in rows.items]
    held: dict[int, list[Task]] = {}
    tasks = Task.objects.filter(lease_session_id__in=keys).order_by("-started_at", "-id")
    for task in tasks.only("public_id", "title", "lease_session_id")[:HELD_ROWS]:
        held.setdefault(task.lease_session_id or 0, []).append(task)
    events = _events(keys)
    used: Any = ToolUse.objects.filter(session_id__in=keys).order_by().values("session_id").annotate(**_SUMMED)
    costs = {use["session_id"]: Cost("", *(use[name] or 0 for name in _SUMMED)) for use in used}
    items = [SessionRow(s, held.get(s.pk, []), events.get(s.pk, 0), costs.get(s.pk, Cost())) for s in rows.items]
    return Rows(items, rows.page, rows.first, rows.has_next, rows.total)


def _events(keys: list[int]) -> dict[int, int | None]:
    """Count events up to a limit: past it, one index step tells that there are more."""
    beyond = Event.objects.filter(session=OuterRef("pk")).order_by("id").values("pk")[EVENTS_COUNTED:][:1]
    many = set(
        Session.objects.filter(pk__in=keys)
        .annotate(more=Subquery(beyond))
        .filter(more__isnull=False)
        .values_list("pk", flat=True)
    )
    few = (
        Event.objects.filter(session_id__in=set(keys) - many).order_by().values_list("session_id").annotate(Count("pk"))
    )
    return {**{key: number for key, number in few if key is not None}, **dict.fromkeys(many)}


def totals(filters: Filters) -> dict[str, list[Cost]]:
    newest = list(filters.narrow().values_list("pk", flat=True)[:LOOKED_AT])
    grouped = ToolUse.objects.filter(session_id__in=newest).order_by().values("tool", "session__client_name")
    rows = list(grouped.annotate(**_SUMMED))
    return {"tools": _by("tool", rows), "clients": _by("session__client_name", rows)}


def _by(column: str, rows: Iterable[Any]) -> list[Cost]:
    found: dict[str, Cost] = {}
    for row in rows:
        cost = found.setdefault(row[column], Cost(row[column]))
        for name in _SUMS:
            setattr(cost, name, getattr(cost, name) + (row[f"sum_{name}"] or 0))
    return _compared(list(found.values()))


def _compared(costs: list[Cost]) -> list[Cost]:
    largest = max((cost.calls for cost in costs), default=0)
    for cost in costs:
        cost.largest = largest
    return sorted(costs, key=lambda cost: (-cost.bytes_sent, cost.name))


def tools_of(session: Session) -> list[tuple[ToolUse, Cost]]:
    uses = {use.tool: use for use in ToolUse.objects.filter(session=session)}
    costs = [Cost(use.tool, *(getattr(use, name) for name in _SUMS)) for use in uses.values()]
    return [(uses[cost.name], cost) for cost in _compared(costs)]


def held_by(session: Session) -> list[Task]:
    return list(Task.objects.filter(lease_session=session).order_by("-started_at", "-id")[:LOOKED_AT])


def delivered_by(session: Session) -> list[Event]:
    newest = Event.objects.filter(session=session).order_by("-id").values("pk")[:DELIVERED_FROM]
    wanted = Q(verb=Verb.COMPLETE) | Q(verb=Verb.DELIVER)
    found: dict[int, Event] = {}
    for event in Event.objects.filter(wanted, pk__in=newest, task__isnull=False).select_related("task").order_by("-id"):
        found.setdefault(event.task_id or 0, event)
        if len(found) == DELIVERED_SHOWN:
            break
    return list(found.values())


def events_of(session: Session, *, page: int) -> Rows[Event]:
    rows = Event.objects.filter(session=session).select_related("task").order_by("-id")
    return page_of(rows, page=page, size=EVENTS_PER_PAGE)
