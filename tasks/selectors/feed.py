"""Events in order, each exactly once for a client that continues after the last id it received."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from django.db import connection
from django.db.models import Max, QuerySet
from django.utils import timezone

from tasks.models import Event

UNSETTLED = timedelta(seconds=5)
"""How long a missing id may still appear: longer than any transaction that writes events."""
BATCH = 500
_NEWEST = 500
_COLUMNS = (
    "verb", "actor_name", "actor_kind", "before", "after", "created_at", "project__slug", "task__public_id",
    "session__public_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class EventFilter:
    project_id: int | None = None
    task_id: int | None = None
    verbs: tuple[str, ...] = ()

    def rows(self) -> QuerySet[Event]:
        rows = Event.objects.select_related("project", "task", "session").only(*_COLUMNS).order_by("id")
        if self.project_id is not None:
            rows = rows.filter(project_id=self.project_id)
        if self.task_id is not None:
            rows = rows.filter(task_id=self.task_id)
        return rows.filter(verb__in=self.verbs) if self.verbs else rows

    def matches(self, event: Event) -> bool:
        return (
            self.project_id in (None, event.project_id)
            and self.task_id in (None, event.task_id)
            and (not self.verbs or event.verb in self.verbs)
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """Some events. `last_id` is where to continue, even if there were none."""

    events: list[Event]
    last_id: int
    has_more: bool


def batch(wanted: EventFilter, *, after: int, limit: int) -> Batch:
    until = last_id()
    rows = list(wanted.rows().filter(id__gt=after, id__lte=until)[: limit + 1])
    if len(rows) > limit:
        return Batch(rows[:limit], rows[limit - 1].pk, has_more=True)
    return Batch(rows, max(after, until), has_more=False)


def read_after(event_id: int) -> list[Event]:
    """Return the first events after an id, of all projects, each with the parent and the root of its task."""
    until = last_id()
    if until <= event_id:
        return []
    relatives = "task__parent__public_id", "task__root__public_id"
    rows = EventFilter().rows().select_related("task__parent", "task__root").only(*_COLUMNS, *relatives)
    return list(rows.filter(id__gt=event_id, id__lte=until)[:BATCH])


def last_id() -> int:
    """Return the id up to which every event can be read; 0 if there are none.

    SQLite has one writer, so its ids appear in order. On PostgreSQL a transaction that ends late may add an id that
    is lower than one that can be read already.
    """
    if connection.vendor == "sqlite":
        return Event.objects.aggregate(last=Max("id"))["last"] or 0
    newest = Event.objects.order_by("-id").values_list("id", "created_at")[:_NEWEST]
    return settled(list(newest), timezone.now())


def settled(newest: Sequence[tuple[int, datetime]], now: datetime) -> int:
    """Return the last id below which no missing id can still appear, given the newest events, newest first.

    Ids of transactions that were rolled back are missing forever, so only gaps between recent events count.
    """
    last = newest[0][0] if newest else 0
    for (event_id, created_at), (earlier, _) in pairwise(newest):
        if abs(now - created_at) > UNSETTLED:  # ahead of now, it is from before the clock was set back
            break
        if event_id - earlier > 1:
            last = earlier
    return last
