"""Stale work, found by silence and not by age: one function per cause, each by one or two queries.

The last sign of a task is the newest of its claim, the renewal of its lease, a part of an upload, an edit, a comment
and any other event. A live lease is never proposed for release.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet, Subquery

from artifacts.models import Upload, UploadState
from maintenance.choices import Cause, Severity
from maintenance.found import Found
from maintenance.selectors import thresholds
from maintenance.selectors.scope import Scope
from maintenance.selectors.thresholds import Thresholds
from orchestrator_site.kernel.alike import overlap, words_of
from orchestrator_site.kernel.text import one_line
from tasks.choices import CLAIMABLE, FINISHED, Status, Verb
from tasks.models import Dependency, Event, Task
from tasks.selectors.rows import count_by

ROWS = 1_000
"""How many tasks of a cause are looked at; on a board with more, the next scan finds the others."""
REPEATED = 3
_PROBLEM = {Verb.FAIL: "reason", Verb.BLOCK: "reason", Verb.REQUEST_REVISION: "comment", Verb.HAND_BACK: "comment"}
_OPEN = [status for status in Status if status not in FINISHED]
_STOPPED = (Status.CANCELLED, Status.FAILED)


@dataclass(frozen=True, slots=True)
class Look:
    """A scope at one time, with the limits of its project."""

    scope: Scope
    now: datetime
    limits: Thresholds

    def leaves(self, *statuses: Status) -> QuerySet[Any]:
        return self.scope.tasks().on_board().leaves().filter(status__in=statuses)


Check = Callable[[Look], Iterator[Found]]
Evidence = dict[str, Any]


def lease_over(look: Look) -> Iterator[Found]:
    for task in _with_signs(look.scope.tasks().on_board().lease_over(look.now)):
        ended = task.lease_session is None or task.lease_session.ended_at is not None
        yield _found(
            Cause.LEASE_OVER, Severity.WARNING, task, min(task.lease_expires_at, look.now),
            {"holder": task.lease_holder, "session_ended": ended, "last_sign": _iso(_last_sign(task))},
            proposal="release",
        )  # fmt: skip


def held_silent(look: Look) -> Iterator[Found]:
    held = look.leaves(Status.ACTIVE).filter(lease_expires_at__gt=look.now)
    for task, since, limit in _silent(look, held):
        yield _found(
            Cause.HELD_SILENT, Severity.WARNING, task, since,
            {"holder": task.lease_holder, "lease_expires_at": _iso(task.lease_expires_at), **limit.evidence},
            advice="Ask its holder. Once the lease is over, others can claim it; until then only take_over helps.",
        )  # fmt: skip


def blocked_silent(look: Look) -> Iterator[Found]:
    for task, since, limit in _silent(look, look.leaves(Status.BLOCKED)):
        yield _found(
            Cause.BLOCKED_SILENT, Severity.WARNING, task, since,
            {"reason": one_line(task.reason)[:200], **limit.evidence},
            advice="Answer and unblock it, or cancel it.",
        )  # fmt: skip


def review_waits(look: Look) -> Iterator[Found]:
    waiting = look.scope.tasks().on_board().filter(status=Status.IN_REVIEW)
    for task in _with_signs(waiting.filter(updated_at__lte=look.now - thresholds.REVIEW)):
        since = _last_sign(task)
        if look.now - since >= thresholds.REVIEW:
            yield _found(
                Cause.REVIEW_WAITS, Severity.WARNING, task, since,
                {"limit_hours": thresholds.REVIEW / timedelta(hours=1)}, advice="Approve it, or request a revision.",
            )  # fmt: skip


def waits_for_stopped(look: Look) -> Iterator[Found]:
    edges = _to_stopped(look, look.leaves(*CLAIMABLE).filter(is_ready=False).order_by())
    rows = edges.select_related("task", "depends_on").order_by("task_id", "depends_on_id")[:ROWS]
    needs: dict[int, list[Task]] = defaultdict(list)
    tasks: dict[int, Task] = {}
    for edge in rows:
        tasks[edge.task_id] = edge.task
        needs[edge.task_id].append(edge.depends_on)
    for key, task in tasks.items():
        stopped = needs[key][0]
        is_cancelled = stopped.status == Status.CANCELLED
        yield _found(
            Cause.WAITS_FOR_STOPPED, Severity.ERROR, task, max(need.updated_at for need in needs[key]),
            {"waits_for": [{"task_id": need.public_id, "status": need.status} for need in needs[key][:5]]},
            advice=f"orchestrator_update_task(task_id={task.public_id!r}, remove_dependencies=[{stopped.public_id!r}])"
            if is_cancelled else f"orchestrator_update_task(task_id={stopped.public_id!r}, action='retry')",
        )  # fmt: skip


def _to_stopped(look: Look, waiting: QuerySet[Any]) -> QuerySet[Dependency]:
    """Look from the side that is smaller: few tasks of a project are stopped, and many wait."""
    if not look.scope.is_everything:
        return Dependency.objects.filter(task__in=waiting.values("pk"), depends_on__status__in=_STOPPED)
    stopped = Task.objects.filter(project=look.scope.project, status__in=_STOPPED).order_by()
    return Dependency.objects.filter(Exists(waiting.filter(pk=OuterRef("task"))), depends_on__in=stopped.values("pk"))


def repeated_failure(look: Look) -> Iterator[Found]:
    """Every attempt has a lease of its own, so few tasks have enough of them to be looked at."""
    tasks = {task.pk: task for task in look.leaves(*_OPEN).filter(lease_number__gte=REPEATED).order_by("id")[:ROWS]}
    events = Event.objects.filter(task__in=list(tasks), verb__in=list(_PROBLEM)).order_by("id")
    said: dict[int, dict[str, list[Event]]] = defaultdict(lambda: defaultdict(list))
    for event in events:
        words = one_line(str(event.after.get(_PROBLEM[Verb(event.verb)], ""))).casefold()
        if event.task_id is not None and words:
            said[event.task_id][words].append(event)
    for key, by_words in said.items():
        words, same = max(by_words.items(), key=lambda each: len(each[1]))
        if len(same) >= REPEATED:
            yield _found(
                Cause.REPEATED_FAILURE, Severity.ERROR, tasks[key], same[0].created_at,
                {"n": len(same), "problem": words[:200], "events": [event.pk for event in same[-5:]]},
                advice="Another attempt will likely end the same way: a person should look at it.",
            )  # fmt: skip


def gate_unmet(look: Look) -> Iterator[Found]:
    gated = look.leaves(Status.ACTIVE, *CLAIMABLE).exclude(gates=[]).order_by("id")[:ROWS]
    tasks = {task.pk: task for task in gated}
    events = Event.objects.filter(task__in=list(tasks), verb__in=[Verb.CLAIM, Verb.MISS_GATE]).order_by("id")
    missed: dict[int, list[Event]] = defaultdict(list)
    for event in events:
        if event.task_id is not None:
            missed[event.task_id] = [] if event.verb == Verb.CLAIM else [*missed[event.task_id], event]
    for key, same in missed.items():
        if len(same) >= REPEATED:
            yield _found(
                Cause.GATE_UNMET, Severity.ERROR, tasks[key], same[0].created_at,
                {
                    "n": len(same), "gates": list(same[-1].after.get("gates", {})),
                    "events": [event.pk for event in same[-5:]],
                },
                advice="Ask its holder what is in the way; a reviewer may waive a gate that cannot be met.",
            )  # fmt: skip


def never_claimed(look: Look) -> Iterator[Found]:
    before = look.now - thresholds.NEVER_CLAIMED
    needs = Dependency.objects.filter(task=OuterRef("pk")).order_by().values("task")
    freed_at = Subquery(needs.annotate(last=Max("depends_on__completed_at")).values("last"))
    ready = look.scope.tasks().ready().filter(lease_number=0, updated_at__lte=before, created_at__lte=before)
    rows: QuerySet[Any] = ready.annotate(freed_at=freed_at).exclude(freed_at__gt=before)
    for task in rows[:ROWS]:
        since = max(task.created_at, task.updated_at, task.freed_at or task.created_at)
        yield _found(
            Cause.NEVER_CLAIMED, Severity.INFO, task, since, {"limit_days": thresholds.NEVER_CLAIMED.days},
            advice="Claim it, give it another specialist or priority, or cancel it.",
        )  # fmt: skip


def orphaned(look: Look) -> Iterator[Found]:
    gone = Q(parent__status__in=FINISHED) | Q(parent__archived_at__isnull=False)
    tasks = look.scope.tasks().on_board().filter(gone, status__in=_OPEN, parent__isnull=False)
    for task in tasks.select_related("parent").order_by("id")[:ROWS]:
        parent = task.parent
        assert parent is not None  # noqa: S101 - the filter says so
        yield _found(
            Cause.ORPHANED, Severity.ERROR, task, max(task.updated_at, parent.archived_at or parent.updated_at),
            {"parent": parent.public_id, "status": parent.status, "archived": parent.archived_at is not None},
            advice="Cancel or archive it, or reopen or restore its parent.",
        )  # fmt: skip


def abandoned_plan(look: Look) -> Iterator[Found]:
    plans = look.scope.whole_plans().on_board().filter(status__in=_OPEN)
    quiet = plans.filter(active_at__lte=look.now - thresholds.PLAN_BARELY_BEGUN_QUIET)
    held = Task.objects.filter(Q(root=OuterRef("pk")) | Q(pk=OuterRef("pk")), lease_expires_at__gt=look.now)
    found = list(quiet.exclude(Exists(held)).order_by("active_at", "id")[:ROWS])
    done = count_by("root_id", [plan.pk for plan in found])
    for plan in found:
        is_barely_begun = done[plan.pk].percent < 10
        if is_barely_begun or look.now - plan.active_at >= thresholds.PLAN_QUIET:
            yield _found(
                Cause.ABANDONED_PLAN, Severity.INFO, plan, plan.active_at,
                {"percent": done[plan.pk].percent, "quiet_days": (look.now - plan.active_at).days},
                advice="Go on with it, cancel it, or archive it.",
            )  # fmt: skip


def _silent(look: Look, tasks: QuerySet[Any]) -> Iterator[tuple[Any, datetime, thresholds.Limit]]:
    for task in _with_signs(tasks.filter(updated_at__lte=look.now - timedelta(minutes=15))):
        limit, since = look.limits.of(task.specialist, task.complexity), _last_sign(task)
        if look.now - since >= limit.after:
            yield task, since, limit


def _with_signs(tasks: QuerySet[Any]) -> list[Any]:
    """Read tasks with the newest of their events and of the parts of their open uploads."""
    event = Event.objects.filter(task=OuterRef("pk")).order_by("-id").values("created_at")[:1]
    uploads = Upload.objects.filter(task=OuterRef("pk"), state=UploadState.OPEN)
    part = uploads.order_by("-last_append_at").values("last_append_at")[:1]
    rows = tasks.select_related("lease_session").annotate(event_at=Subquery(event), part_at=Subquery(part))
    return list(rows.order_by(F("updated_at").asc(), "id")[:ROWS])


def _last_sign(task: Any) -> datetime:
    """Return the newest sign. While a lease is held, each call of its session is one: it renews the lease."""
    signs: list[datetime | None] = [task.updated_at, task.event_at, task.part_at]
    if task.status == Status.ACTIVE and task.lease_session is not None:
        signs.append(task.lease_session.last_seen_at)
    return max(sign for sign in signs if sign is not None)


def _found(
    cause: Cause, severity: Severity, task: Task, since: datetime, evidence: Evidence, *,
    proposal: str = "", advice: str = "",
) -> Found:  # fmt: skip
    return Found(
        cause, severity, task.public_id, since, title=task.title, task_pk=task.pk, evidence=evidence,
        proposal=proposal, advice=advice,
    )  # fmt: skip


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="seconds")


BASIC: dict[Cause, Check] = {
    Cause.LEASE_OVER: lease_over,
    Cause.HELD_SILENT: held_silent,
    Cause.WAITS_FOR_STOPPED: waits_for_stopped,
    Cause.REVIEW_WAITS: review_waits,
    Cause.BLOCKED_SILENT: blocked_silent,
    Cause.REPEATED_FAILURE: repeated_failure,
    Cause.GATE_UNMET: gate_unmet,
    Cause.NEVER_CLAIMED: never_claimed,
    Cause.ORPHANED: orphaned,
}


def near_duplicates(look: Look) -> Iterator[Found]:
    """Compare the titles of open tasks as sets of words; equal sets, or more than half of all words in common."""
    rows = look.leaves(Status.PENDING, Status.NEEDS_REVISION, Status.BLOCKED).order_by("-id")[:ROWS]
    words = {task.pk: words_of(task.title) for task in rows}
    tasks = {task.pk: task for task in rows}
    for one, other, shared in _alike(words):
        first, second = tasks[min(one, other)], tasks[max(one, other)]
        yield Found(
            Cause.NEAR_DUPLICATE, Severity.INFO, f"{first.public_id} {second.public_id}", second.created_at,
            title=second.title, task_pk=second.pk,
            evidence={"other": first.public_id, "other_title": first.title, "overlap": round(shared, 2)},
            advice="Compare them: cancel one, or say in its description how they differ.",
        )  # fmt: skip


PAIRS = 50
_LEAST_WORDS, _ALIKE, _COMMON = 4, 0.5, 40


def _alike(words: dict[int, frozenset[str]]) -> Iterator[tuple[int, int, float]]:
    """Yield pairs of keys whose words overlap by at least half (Jaccard), each task once, at most `PAIRS`."""
    frequency = Counter(word for each in words.values() for word in each)
    having: dict[str, list[int]] = defaultdict(list)
    paired: set[int] = set()
    for key, own in words.items():
        if len(own) < _LEAST_WORDS or len(paired) >= 2 * PAIRS:
            continue
        rare = sorted(own, key=lambda word: (frequency[word], word))
        candidates = {other for word in rare[: len(rare) // 2 + 1] for other in having[word][:_COMMON]} - paired
        best = max(((overlap(own, words[other]), other) for other in candidates), default=(0.0, 0))
        if best[0] >= _ALIKE:
            paired |= {key, best[1]}
            yield best[1], key, best[0]
        for word in own:
            having[word].append(key)


COMPREHENSIVE: dict[Cause, Check] = {
    **BASIC,
    Cause.ABANDONED_PLAN: abandoned_plan,
    Cause.NEAR_DUPLICATE: near_duplicates,
}
