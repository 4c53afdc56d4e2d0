"""What was tried at a task before, and what came of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from tasks.choices import Status, Verb
from tasks.models import Attempt, Event, Evidence, Task

SHOWN = 20
_TRIED = 8


@dataclass(slots=True)
class Tried:
    """An attempt that failed, with the gates that it missed and the evidence that did not pass."""

    attempt: Attempt
    missed: dict[str, str] = field(default_factory=dict)


def earlier_than_now(task: Task) -> int:
    """Return how many attempts at a task have ended: without a statement, since each claim counts."""
    return task.lease_number - int(task.is_leaf and task.status == Status.ACTIVE)


def attempts_of(task: Task) -> QuerySet[Attempt]:
    """Return the attempts at a task, the newest first, each with the number of its pieces of evidence."""
    of_it = Evidence.objects.filter(task=OuterRef("task"), lease_number=OuterRef("lease_number")).order_by()
    counted = of_it.values("lease_number").annotate(number=Count("pk")).values("number")
    rows: Any = Attempt.objects.filter(task=task).select_related("session").order_by("-lease_number")
    found: QuerySet[Attempt] = rows.annotate(pieces=Coalesce(Subquery(counted, output_field=IntegerField()), 0))
    return found


def shown_attempts(task: Task) -> list[Attempt]:
    """Return the newest attempts for a page; no statement where there was none."""
    return list(attempts_of(task)[:SHOWN]) if earlier_than_now(task) > 0 else []


def tried_before(task: Task) -> list[Tried]:
    """Return the newest attempts that failed; no statement for a task that was never tried before."""
    if earlier_than_now(task) < 1:
        return []
    rows = Attempt.objects.filter(task=task).exclude(outcome=Verb.COMPLETE)
    tried = [Tried(attempt) for attempt in rows.order_by("-lease_number")[:_TRIED]]
    if tried:
        _add_missed(task, tried)
    return tried


def _add_missed(task: Task, tried: list[Tried]) -> None:
    oldest = tried[-1].attempt
    failed = Evidence.objects.filter(task=task, passed=False, lease_number__gte=oldest.lease_number).order_by("id")
    misses = Event.objects.filter(task=task, verb=Verb.MISS_GATE, created_at__gte=oldest.started_at)
    of_lease: dict[int, dict[str, str]] = defaultdict(dict)
    for after in misses.order_by("id").values_list("after", flat=True):
        of_lease[after.get("lease_number", 0)] |= after.get("gates", {})
    for number, gate, summary in failed.values_list("lease_number", "gate", "summary"):
        of_lease[number][gate] = summary
    for each in tried:
        each.missed = of_lease[each.attempt.lease_number]
