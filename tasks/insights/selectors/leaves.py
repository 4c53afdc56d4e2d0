"""The leaves of a project that something happened to within a window, read in batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db.models import BooleanField, Count, ExpressionWrapper, F, Q, Sum
from django.db.models.fields.json import KT

from orchestrator_site.kernel.signals import origins_wanted
from tasks.choices import TAKEN_OVER, Status, Verb
from tasks.insights.facts.definitions import Leaf, Try
from tasks.insights.facts.log import Log, Row, read
from tasks.insights.facts.window import Window
from tasks.models import Attempt, Dependency, Event, Project, Task, TaskQuerySet, ToolUse

BATCH = 500
_VERBS = (
    Verb.PLAN, Verb.CLAIM, Verb.COMPLETE, Verb.HAND_BACK, Verb.APPROVE, Verb.REQUEST_REVISION, Verb.BLOCK,
    Verb.UNBLOCK, Verb.FAIL, Verb.RETRY, Verb.RELEASE, Verb.CANCEL, Verb.REOPEN, Verb.WAIVE, Verb.MISS_GATE,
)  # fmt: skip
_LOST = Q(verb=Verb.RELEASE) & (Q(after__has_key="lease_ended_at") | Q(after__reason=TAKEN_OVER))
_IS_LOST = ExpressionWrapper(_LOST, output_field=BooleanField())
_OF_A_LEAF = ("pk", "root", "root__public_id", "specialist", "complexity", "effort_minutes", "gates", "archived_at")
_OF_AN_EVENT = ("task_id", "verb", KT("after__status"), KT("after__lease_number"), _IS_LOST, "created_at")


def leaves_of(project: Project, window: Window, *, until: int) -> Iterator[Leaf]:
    """Yield each leaf with an event of the window up to an id, and each in review."""
    events = Event.objects.filter(project=project, pk__lte=until, created_at__gte=window.start)
    touched = set(events.filter(task__isnull=False).order_by().values_list("task_id", flat=True).distinct())
    keys = sorted(touched.union(in_review(project).values_list("pk", flat=True)))
    reader = _Reader(until)
    for start in range(0, len(keys), BATCH):
        yield from reader.leaves(keys[start : start + BATCH])


def in_review(project: Project) -> TaskQuerySet:
    return Task.objects.filter(project=project, status=Status.IN_REVIEW).on_board().leaves()


class _Reader:
    """Reads batches of leaves; what several of them share is read once."""

    def __init__(self, until: int) -> None:
        self._until = until
        self._templates: dict[int, str] = {}
        self._shares: dict[int, float] = {}

    def leaves(self, keys: list[int]) -> Iterator[Leaf]:
        rows = list(Task.objects.leaves().filter(pk__in=keys).order_by("pk").values_list(*_OF_A_LEAF))
        self._learn_templates({row[1] for row in rows if row[1]})
        logs, tries = self._logs(keys), self._tries(keys)
        asked = self._asked_at(keys, logs)
        for pk, root, plan, specialist, complexity, minutes, gates, archived_at in rows:
            yield Leaf(
                logs.get(pk) or Log(),
                plan=plan or "",
                specialist=specialist,
                complexity=complexity,
                template=self._templates.get(root, ""),
                minutes=minutes,
                has_gates=bool(gates),
                is_on_board=archived_at is None,
                asked_at=asked.get(pk),
                tries=tries[pk],
            )

    def _logs(self, keys: list[int]) -> dict[int, Log]:
        events = Event.objects.filter(task__in=keys, pk__lte=self._until, verb__in=_VERBS).order_by("task_id", "pk")
        rows = events.values_list(*_OF_AN_EVENT).iterator()
        return {
            pk: read(Row(verb, status, int(lease or 0), bool(lost), at) for _, verb, status, lease, lost, at in of_task)
            for pk, of_task in groupby(rows, key=lambda row: row[0])
        }

    def _tries(self, keys: list[int]) -> dict[int, list[Try]]:
        columns = (
            *("task_id", "session_id", "lease_number", "client", "model", "outcome", "started_at", "ended_at"),
            *("read_tokens", "written_tokens", "cost_usd"),
        )
        rows: list[Any] = list(Attempt.objects.filter(task__in=keys).order_by("lease_number").values_list(*columns))
        self._learn_shares({row[1] for row in rows if row[1]})
        found: dict[int, list[Try]] = defaultdict(list)
        for pk, session, *facts, read_tokens, written_tokens, cost in rows:
            reported = [number for number in (read_tokens, written_tokens) if number is not None]
            tokens, cost = sum(reported) if reported else None, None if cost is None else float(cost)
            found[pk].append(Try._make([*facts, self._shares.get(session), tokens, cost]))
        return found

    def _asked_at(self, keys: list[int], logs: dict[int, Log]) -> dict[int, datetime]:
        """Return when the last of what each task waited for was completed before its first claim."""
        edges = list(Dependency.objects.filter(task__in=keys).order_by().values_list("task_id", "depends_on_id"))
        events = Event.objects.filter(task__in={need for _, need in edges}, pk__lte=self._until)
        ended = events.filter(after__status=Status.COMPLETED).exclude(before__status=Status.COMPLETED)
        times: dict[int, list[datetime]] = defaultdict(list)
        for need, at in ended.order_by().values_list("task_id", "created_at"):
            times[need].append(at)
        found: dict[int, datetime] = {}
        for pk, need in edges:
            claimed_at = logs[pk].claimed_at if pk in logs else None
            before = [at for at in times[need] if claimed_at and at <= claimed_at]
            if before:
                found[pk] = max([*before, found[pk]] if pk in found else before)
        return found

    def _learn_templates(self, plans: Collection[int]) -> None:
        if new := sorted(set(plans) - self._templates.keys()):
            self._templates |= dict.fromkeys(new, "")
            named: list[Any] = [origins for _, origins in origins_wanted.send(Task, plans=new)]
            for origins in named:
                self._templates |= origins

    def _learn_shares(self, sessions: Collection[int]) -> None:
        """Divide what the calls of each session sent and received by the attempts that it ended."""
        new = set(sessions) - self._shares.keys()
        attempts: Any = Attempt.objects.filter(session__in=new).order_by().values("session_id")
        ended = dict(attempts.annotate(n=Count("pk")).values_list("session_id", "n"))
        uses: Any = ToolUse.objects.filter(session__in=new).order_by().values("session_id")
        total = Sum(F("bytes_received") + F("bytes_sent"))
        for session, size in uses.annotate(size=total).values_list("session_id", "size"):
            if session in ended:  # else its last attempt was purged just now
                self._shares[session] = size / ended[session]
