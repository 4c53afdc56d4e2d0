"""Who worked when, from each claim to what ended it, and how long tasks waited after that."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.utils import timezone

from tasks.choices import Status, Verb
from tasks.graph.time_axis import Axis, lasting, tracks
from tasks.models import Event, Task
from tasks.selectors.graph import leaves_below
from tasks.selectors.rows import Rows, page_of

TASKS_PER_PAGE, TASKS_OF_WORKERS = 60, 250
EVENTS = 3_000  # events that one page reads at most
TRACK = 22  # pixels from one track to the next
NARROWEST = 0.6  # percent of the line, so that even a second is visible

_AFTER: dict[str, str] = {
    Verb.COMPLETE: Status.COMPLETED,
    Verb.HAND_BACK: Status.NEEDS_REVISION,
    Verb.BLOCK: Status.BLOCKED,
    Verb.FAIL: Status.FAILED,
    Verb.CANCEL: Status.CANCELLED,
    Verb.REQUEST_REVISION: Status.NEEDS_REVISION,
}
"""The status after each verb; after any other it is pending, or active."""
_VERBS = (*_AFTER, Verb.CLAIM, Verb.RELEASE, Verb.APPROVE, Verb.UNBLOCK, Verb.RETRY, Verb.REOPEN)
OUTCOMES: dict[str, str] = {
    Status.ACTIVE: "In progress",
    Status.COMPLETED: "Completed",
    Status.IN_REVIEW: "Delivered for review",
    Status.NEEDS_REVISION: "Handed back for revision",
    Status.BLOCKED: "Blocked",
    Status.FAILED: "Failed",
    Status.PENDING: "Released",
    Status.CANCELLED: "Cancelled",
}
WAITS: dict[str, str] = {
    Status.IN_REVIEW: "Waited for review",
    Status.NEEDS_REVISION: "Waited for revision",
    Status.BLOCKED: "Blocked",
    Status.FAILED: "Failed",
}


@dataclass(slots=True)
class Stretch:
    """The work on a task from a claim on, or a wait. `outcome` is the status it ended with, or waited in."""

    task: Task
    worker: str  # nothing for a wait
    who: str  # the session, or the name of a person who acts outside any
    start: datetime
    end: datetime
    outcome: str
    is_wait: bool = False
    track: int = 0
    x: float = 0.0
    width: float = 0.0

    @property
    def says(self) -> str:
        return WAITS[self.outcome] if self.is_wait else OUTCOMES[self.outcome]

    @property
    def lasted(self) -> str:
        return lasting(self.end - self.start)

    @property
    def top(self) -> int:
        return self.track * TRACK + 3


@dataclass(slots=True)
class Row:
    key: str
    label: str
    task: Task | None
    stretches: list[Stretch] = field(default_factory=list)

    @property
    def height(self) -> int:
        return TRACK * (1 + max((stretch.track for stretch in self.stretches), default=0))


@dataclass(frozen=True, slots=True)
class Timeline:
    """Rows on an axis. `begun` is the page of tasks; `is_cut` if there are too many events to show."""

    rows: list[Row]
    axis: Axis | None
    begun: Rows[Task]
    now: float | None
    is_cut: bool

    @property
    def waits(self) -> list[tuple[str, str]]:
        seen = {stretch.outcome for row in self.rows for stretch in row.stretches if stretch.is_wait}
        return [(state, words) for state, words in WAITS.items() if state in seen]


def of(top: Task, *, by_worker: bool, page: int) -> Timeline:
    tasks = leaves_below(top).filter(started_at__isnull=False).order_by("position", "id")
    fields = ("public_id", "title", "status", "started_at", "lease_expires_at", "is_leaf", "root_id", "parent_id")
    begun = page_of(tasks.only(*fields), page=page, size=TASKS_OF_WORKERS if by_worker else TASKS_PER_PAGE)
    now = timezone.now()
    found, is_cut = _stretches(begun.items, now)
    stretches = [each for each in found if not (by_worker and each.is_wait)]
    rows = _rows({} if by_worker else {task.public_id: task for task in begun.items}, stretches)
    if not stretches:
        return Timeline(rows, None, begun, None, is_cut)
    first, last = min(each.start for each in stretches), max(each.end for each in stretches)
    axis = Axis.around(timezone.localtime(first), last)
    for row in rows:
        lanes = tracks([(each.start, each.end) for each in row.stretches])
        for stretch, track in zip(row.stretches, lanes, strict=True):
            stretch.track, stretch.x = track, axis.percent(stretch.start)
            stretch.width = max(axis.percent(stretch.end) - stretch.x, NARROWEST)
            stretch.x = min(stretch.x, 100 - stretch.width)
    return Timeline(rows, axis, begun, axis.percent(now) if last >= now else None, is_cut)


def _stretches(tasks: list[Task], now: datetime) -> tuple[list[Stretch], bool]:
    """Read the stretches of some tasks by start time, and whether there are more than can be shown."""
    rows = Event.objects.filter(task_id__in=[task.pk for task in tasks], verb__in=_VERBS).order_by("task_id", "id")
    events = list(rows.select_related("session").defer("before")[: EVENTS + 1])
    task_of = {task.pk: task for task in tasks}
    found: list[Stretch] = []
    current: Stretch | None = None
    for number, event in enumerate(events):
        task = task_of[event.task_id or 0]
        if current and current.task.pk == event.task_id:
            _end(current, event)
        else:
            current = None
        if number == EVENTS:
            break
        current = _begun(event, task, now) if event.verb == Verb.CLAIM else _waits(event, task, current, now)
        found += [current] if current else []
    return sorted(found, key=lambda each: each.start), len(events) > EVENTS


def _end(stretch: Stretch, event: Event) -> None:
    """End work or a wait with the event that followed. Another claim counts as a release of the work."""
    ended = None if stretch.is_wait else event.after.get("lease_ended_at")  # it may have expired before the event
    stretch.end = max(datetime.fromisoformat(ended) if ended else event.created_at, stretch.start)
    if not stretch.is_wait:
        stretch.outcome = _status_after(event)


def _status_after(event: Event) -> str:
    if event.verb == Verb.COMPLETE and event.after.get("status") in OUTCOMES:
        return str(event.after["status"])
    return _AFTER.get(event.verb, Status.PENDING)


def _waits(event: Event, task: Task, before: Stretch | None, now: datetime) -> Stretch | None:
    """Return the wait that an event begins, if any; without a later event it lasts while the task stays so."""
    status = _status_after(event)
    start = max(event.created_at, before.end) if before else event.created_at
    end = max(now, start) if task.status == status else start
    return Stretch(task, "", "", start, end, status, is_wait=True) if status in WAITS else None


def _begun(event: Event, task: Task, now: datetime) -> Stretch:
    end = min(now, task.lease_expires_at or now) if task.status == Status.ACTIVE else event.created_at
    outcome = Status.ACTIVE if task.status == Status.ACTIVE and end == now else Status.PENDING
    client = event.session.client_name if event.session else ""
    worker = f"{client}, for {event.actor_name}" if client else event.actor_name
    who = event.session.public_id if event.session else event.actor_name
    return Stretch(task, worker, who, event.created_at, max(end, event.created_at), outcome)


def _rows(tasks: dict[str, Task], stretches: list[Stretch]) -> list[Row]:
    """Return a row for each task, or for each worker where no tasks are given."""
    rows = {key: Row(key, task.title, task) for key, task in tasks.items()}
    for stretch in stretches:
        row = Row(stretch.who, stretch.worker, None)
        rows.setdefault(stretch.task.public_id if tasks else stretch.who, row).stretches.append(stretch)
    never = datetime.max.replace(tzinfo=UTC)
    return sorted(rows.values(), key=lambda row: row.stretches[0].start if row.stretches else never)
