"""Read what a handover is made of: a constant number of queries, each with a bounded number of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Max, Q, QuerySet

from artifacts.models import Artifact, Kind, ReviewComment, Upload, UploadState
from maintenance.choices import Level
from maintenance.models import Finding, Handover
from maintenance.selectors.handover_facts import Facts, Listed, PlanFacts
from maintenance.selectors.scope import Scope
from orchestrator_site.kernel.snapshots import snapshot
from tasks import roles
from tasks.choices import CLAIMABLE, FINISHED, WAITS_FOR_A_PERSON, Priority, Status, Verb
from tasks.models import Dependency, Event, Note, Task
from tasks.selectors import counts
from tasks.selectors.blockers import count_waits
from tasks.selectors.gates import GateState, states_of
from tasks.selectors.graph import NODES, critical_among
from tasks.selectors.open_plans import OpenPlan, OpenPlans, open_plans
from tasks.selectors.rows import Counts, count_by
from tasks.state_machine import UNFINISHED

PLANS, PATHS = 8, 3
SCOPE_TASKS = 5_000
SAID = (
    *(Verb.COMPLETE, Verb.FINISH, Verb.DELIVER, Verb.APPROVE, Verb.REQUEST_REVISION, Verb.HAND_BACK, Verb.BLOCK),
    *(Verb.UNBLOCK, Verb.FAIL, Verb.RETRY, Verb.CANCEL, Verb.REOPEN, Verb.RESUME),
)
"""The events that a handover tells of."""
_TASK_FIELDS = ("public_id", "title", "status", "specialist", "root_id", "parent_id")


@dataclass(frozen=True, slots=True)
class Most:
    """How many rows of each kind are read."""

    rows: int
    events: int
    notes: int
    artifacts: int


MOST = {
    Level.BASIC: Most(rows=40, events=1_000, notes=60, artifacts=120),
    Level.COMPREHENSIVE: Most(rows=120, events=3_000, notes=200, artifacts=300),
    Level.FULL_AUDIT: Most(rows=120, events=3_000, notes=200, artifacts=300),
}


def facts_of(scope: Scope, level: Level, *, since: Handover | None = None) -> Facts:
    """Read one state of a scope. Without `since`, it is the newest handover that is older than the newest event."""
    with snapshot():
        return _Reader(scope, level).read(since)


class _Reader:
    """Reads the facts of a scope in one snapshot."""

    def __init__(self, scope: Scope, level: Level) -> None:
        self.scope, self.level, self.most = scope, level, MOST[level]
        self.project = scope.project
        self.leaves = scope.tasks().on_board().leaves()

    def read(self, since: Handover | None) -> Facts:
        cursor, as_of = self._cursor()
        plans = self._plans()
        by_status = self._counts()
        ready = self._ready(by_status)
        stopped = self._stopped(by_status)
        waiting = self._waiting([each.plan.pk for each in plans.rows])
        events, seen_from = self._events()
        in_hand = self._in_hand(by_status)
        artifacts = self._artifacts()
        return Facts(
            scope=self.scope,
            level=self.level,
            cursor=cursor,
            as_of=as_of,
            since=since or self._before(cursor),
            plans=plans,
            last_finished=None if plans.total else self._last_finished(),
            counts=by_status,
            in_hand=in_hand,
            uploads=self._uploads(),
            ready=ready,
            unblocks=count_waits(ready.rows)[1],
            stopped=stopped,
            revisions=self._revisions(by_status),
            waiting=waiting,
            needs=self._needs(waiting),
            waiting_total=_waiting_total(by_status, ready.total),
            events=events,
            seen_from=seen_from,
            comments=self._comments(events),
            notes=self._notes(events, [each.plan.pk for each in plans.rows]),
            artifacts=artifacts,
            changed_at=_changed_at(artifacts.rows),
            findings=self._findings(),
            rules=dict(self.project.settings),
            own_roles=_own_roles(self.scope),
            gates=_gates([*in_hand.rows, *stopped]),
        )

    def _cursor(self) -> tuple[int, datetime | None]:
        row = Event.objects.filter(project=self.project).order_by("-id").values_list("id", "created_at").first()
        return row or (0, None)

    def _before(self, cursor: int) -> Handover | None:
        rows = Handover.objects.filter(project=self.project, cursor__lt=cursor, scope=self.scope.word)
        return rows.filter(subject=self.scope.subject).defer("text").order_by("-number").first()

    # Tasks

    def _roots(self) -> QuerySet[Task]:
        plans = Task.objects.filter(project=self.project).on_board().plans()
        if self.scope.plans is not None:
            return plans.filter(pk__in=self.scope.plans)
        if self.scope.keys is not None:
            rows = Task.objects.filter(pk__in=self.scope.keys).values_list("pk", "root_id")
            return plans.filter(pk__in=[root or pk for pk, root in rows])
        return plans

    def _plans(self) -> Listed[PlanFacts]:
        known = self._open_plans()
        full = Task.objects.in_bulk([each.plan.pk for each in known.plans])
        shown = [(full[each.plan.pk], each) for each in known.plans]
        facts = [
            PlanFacts(plan, each.counts, each.ready, _path(plan) if place < PATHS else [])
            for place, (plan, each) in enumerate(shown)
        ]
        return Listed(facts, known.total)

    def _open_plans(self) -> OpenPlans:
        if self.scope.is_everything:
            return open_plans(self.project)
        plans = self._roots().filter(status__in=UNFINISHED)
        shown = list(plans.order_by("-active_at", "-pk")[:PLANS])
        counted, ready = count_by("root_id", [plan.pk for plan in shown]), self._ready_by_plan(shown)
        found = [OpenPlan(plan, _own(plan, counted[plan.pk]), ready.get(plan.pk, 0)) for plan in shown]
        return OpenPlans(found, plans.count())

    def _ready_by_plan(self, plans: Sequence[Task]) -> dict[int, int]:
        keys = [plan.pk for plan in plans]
        rows = Task.objects.filter(Q(root_id__in=keys) | Q(pk__in=keys), is_ready=True).order_by()
        found: dict[int, int] = {}
        for pk, root in rows.values_list("pk", "root_id")[:SCOPE_TASKS]:
            found[root or pk] = found.get(root or pk, 0) + 1
        return found

    def _last_finished(self) -> Task | None:
        return self._roots().filter(status=Status.COMPLETED).order_by("-active_at", "-pk").first()

    def _counts(self) -> dict[str, int]:
        return (
            counts.of_project(self.project)
            if self.scope.is_everything
            else counts.by_status(self.scope.tasks().on_board())
        )

    def _in_hand(self, by_status: dict[str, int]) -> Listed[Task]:
        rows = self.leaves.filter(status=Status.ACTIVE).select_related("lease_session").order_by("id")
        return Listed(list(rows[: self.most.rows]), by_status.get(Status.ACTIVE, 0))

    def _uploads(self) -> dict[int, list[Upload]]:
        rows = Upload.objects.filter(project=self.project, state=UploadState.OPEN).order_by("id")
        found: dict[int, list[Upload]] = {}
        for upload in rows[: self.most.rows]:
            found.setdefault(upload.task_id, []).append(upload)
        return found

    def _ready(self, by_status: dict[str, int]) -> Listed[Task]:
        if not any(by_status.get(status) for status in CLAIMABLE):
            return Listed([], 0)
        rows = self.scope.tasks().ready()
        # The priority is there for SQLite, which would read every row instead of the index of ready tasks.
        total = rows.order_by().filter(priority__gte=min(Priority)).count()
        return Listed(list(rows[: self.most.rows]), total)

    def _stopped(self, by_status: dict[str, int]) -> list[Task]:
        found: list[Task] = []
        for status in (Status.BLOCKED, Status.IN_REVIEW, Status.FAILED):  # each from its index, the oldest first
            if by_status.get(status):
                found += self.leaves.filter(status=status).order_by("updated_at", "-id")[: self.most.rows]
        return found

    def _revisions(self, by_status: dict[str, int]) -> list[Task]:
        if not by_status.get(Status.NEEDS_REVISION):
            return []
        rows = self.leaves.filter(status=Status.NEEDS_REVISION).order_by("updated_at", "-id")
        return list(rows[: self.most.rows])

    def _waiting(self, plans: list[int]) -> list[Task]:
        """Return what waits for other tasks, in the plans that are shown."""
        rows = self.leaves.filter(Q(root_id__in=plans) | Q(pk__in=plans), status__in=CLAIMABLE, is_ready=False)
        return list(
            rows.only(*_TASK_FIELDS, "updated_at", "position").order_by("root_id", "position")[: self.most.rows]
        )

    def _needs(self, waiting: list[Task]) -> dict[int, list[str]]:
        rows = Dependency.objects.open().filter(task__in=waiting).order_by("depends_on_id")
        found: dict[int, list[str]] = {}
        for task, need in rows.values_list("task_id", "depends_on__public_id").distinct():
            found.setdefault(task, []).append(need)
        return found

    # What was said and delivered

    def _events(self) -> tuple[list[Event], int]:
        """Return the events that a handover tells of, the newest first, and the id of the oldest that was looked at."""
        rows: Any = Event.objects.filter(project=self.project)
        if not self.scope.is_everything:
            rows = Event.objects.filter(task_id__in=list(self.scope.tasks().values_list("pk", flat=True)[:SCOPE_TASKS]))
        seen = list(rows.order_by("-id").values_list("id", "verb")[: self.most.events])
        keys = [key for key, verb in seen if verb in SAID]
        found = Event.objects.filter(pk__in=keys, task__isnull=False).select_related("task").order_by("-id")
        only = found.only(
            *("verb", "actor_kind", "actor_name", "before", "after", "created_at", "project_id", "task_id"),
            *(f"task__{name}" for name in (*_TASK_FIELDS, "is_leaf", "reason", "review_comment")),
        )
        return list(only), seen[-1][0] if len(seen) == self.most.events else 0

    def _comments(self, events: list[Event]) -> list[ReviewComment]:
        judged = {event.task_id or 0 for event in events if event.verb in (Verb.REQUEST_REVISION, Verb.APPROVE)}
        rows = ReviewComment.objects.filter(task_id__in=judged, sent_at__isnull=False)
        rows = rows.exclude(task__status=Status.NEEDS_REVISION).select_related("task", "version__artifact")
        return list(rows.order_by("-id")[: self.most.rows])

    def _notes(self, events: list[Event], plans: list[int]) -> list[Note]:
        """Return the newest notes of the plans that are shown, and of the tasks that events tell of."""
        delivered = {event.task_id for event in events if event.verb in (Verb.COMPLETE, Verb.HAND_BACK, Verb.BLOCK)}
        of_tasks = Note.objects.filter(task_id__in=list(delivered)).order_by("-id")[: self.most.notes]
        own = Q(task__root_id__in=plans) | Q(task_id__in=plans)
        keys = set(of_tasks.values_list("pk", flat=True))
        if self.scope.keys is None:
            keys |= set(Note.objects.filter(own).order_by("-id").values_list("pk", flat=True)[: self.most.notes])
        rows = Note.objects.filter(pk__in=keys).select_related("task").order_by("-id")
        return list(rows[: self.most.notes])

    def _artifacts(self) -> Listed[Artifact]:
        rows = Artifact.objects.filter(self._about("task"), project=self.project)
        shown = rows.select_related("task").prefetch_related("paths").order_by("-updated_at", "-id")
        return Listed(list(shown[: self.most.artifacts]), rows.count())

    def _findings(self) -> Listed[Finding]:
        rows = Finding.objects.open().filter(project=self.project)
        if not self.scope.is_everything:
            rows = rows.filter(self._about("task"))
        shown = rows.order_by("-severity", "since", "id")
        return Listed(list(shown[: self.most.rows]), rows.count())

    def _about(self, column: str) -> Q:
        """What has its task in the scope."""
        if self.scope.plans is not None:
            return Q(**{f"{column}__in": self.scope.plans}) | Q(**{f"{column}__root_id__in": self.scope.plans})
        return Q() if self.scope.keys is None else Q(**{f"{column}__in": self.scope.keys})


def _own(plan: Task, counted: Counts) -> Counts:
    return Counts({plan.status: 1}) if plan.is_leaf else counted


def _path(plan: Task) -> list[Task] | None:
    """Return the longest chain of open tasks of a plan; None where it has more of them than a drawing shows."""
    rows = Task.objects.within(plan).on_board().filter(Q(is_leaf=False) | ~Q(status__in=FINISHED))
    found = list(rows.exclude(pk=plan.pk)[: NODES + 1])
    return None if len(found) > NODES else critical_among(plan, found)


def _waiting_total(by_status: dict[str, int], ready: int) -> int:
    held_up = sum(by_status.get(status, 0) for status in CLAIMABLE) - ready
    return held_up + sum(by_status.get(status, 0) for status in WAITS_FOR_A_PERSON)


def _changed_at(artifacts: list[Artifact]) -> dict[int, datetime]:
    plans = {artifact.task.plan_id for artifact in artifacts if artifact.kind == Kind.TEST}
    rows = Artifact.objects.filter(Q(task__root_id__in=plans) | Q(task_id__in=plans)).exclude(kind=Kind.TEST).order_by()
    found: dict[int, datetime] = {}
    for root, task, at in rows.values_list("task__root_id", "task_id").annotate(Max("updated_at")):
        key = root or task
        found[key] = max(at, found.get(key, at))
    return found


def _gates(tasks: list[Task]) -> list[tuple[Task, list[GateState]]]:
    states = states_of(tasks)
    return [(task, states[task.pk]) for task in tasks if task.pk in states]


def _own_roles(scope: Scope) -> dict[str, str]:
    known = roles.catalogue(scope.project).roles
    return {name: role.source for name, role in sorted(known.items()) if role.source not in ("default", "site")}
