"""The definitions: which values one leaf adds to which figure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from math import log as ln
from typing import NamedTuple

from tasks.choices import Status, Verb
from tasks.insights.choices import Name
from tasks.insights.facts.log import Log
from tasks.insights.facts.window import Window


class Try(NamedTuple):
    """An attempt at a task. `bytes` is its share of what the calls of its session sent and received."""

    lease: int
    client: str
    model: str
    outcome: str
    started_at: datetime
    ended_at: datetime
    bytes: float | None = None
    tokens: int | None = None
    cost: float | None = None


@dataclass(slots=True)
class Leaf:
    """A task without subtasks. `asked_at` is when the last of what it waited for was completed."""

    log: Log
    plan: str = ""
    specialist: str = ""
    complexity: str = ""
    template: str = ""
    minutes: float | None = None
    has_gates: bool = False
    is_on_board: bool = True
    asked_at: datetime | None = None
    tries: list[Try] = field(default_factory=list)

    @property
    def last(self) -> Try | None:
        return self.tries[-1] if self.tries else None

    def by(self, lease: int) -> Try | None:
        return next((each for each in self.tries if each.lease == lease), None)


class Fact(NamedTuple):
    """One value of a figure, and the attempt whose client and model it belongs to."""

    name: Name
    value: float
    by: Try | None
    at: datetime


Facts = Iterator[Fact]


def facts_of(leaf: Leaf, window: Window) -> Facts:
    for define in _DEFINITIONS:
        yield from define(leaf, window)


def _planned(leaf: Leaf, window: Window) -> Facts:
    log = leaf.log
    if log.planned_at and window.holds(log.planned_at):
        yield Fact(Name.PLANNED, 1, leaf.last, log.planned_at)
    if log.planned_at and log.claimed_at and window.holds(log.claimed_at):
        ready = max(log.planned_at, leaf.asked_at or log.planned_at)
        yield Fact(Name.WAIT, _seconds(ready, log.claimed_at), leaf.last, log.claimed_at)


def _completed(leaf: Leaf, window: Window) -> Facts:
    log, last, at = leaf.log, leaf.last, leaf.log.completed_at
    if at is None or not window.holds(at):
        return
    yield Fact(Name.DONE, 1, last, at)
    if log.planned_at:
        yield Fact(Name.LEAD, _seconds(log.planned_at, at), last, at)
    sums: dict[Name, list[float]] = {
        Name.WORK: [_seconds(each.started_at, each.ended_at) for each in leaf.tries],
        Name.BYTES: [each.bytes for each in leaf.tries if each.bytes is not None],
        Name.TOKENS: [each.tokens for each in leaf.tries if each.tokens is not None],
        Name.COST: [each.cost for each in leaf.tries if each.cost is not None],
    }
    for name, known in sums.items():
        if known:
            yield Fact(name, sum(known), last, at)
    yield Fact(Name.ESTIMATE_COVERAGE, bool(leaf.minutes), last, at)
    if leaf.minutes and (work := sum(sums[Name.WORK])):
        yield Fact(Name.ESTIMATE_ERROR, abs(ln(work / 60 / leaf.minutes)), last, at)
    if leaf.has_gates:
        yield Fact(Name.GATES_MISSED, log.missed_first, last, at)
        yield Fact(Name.GATES_WAIVED, log.is_waived, last, at)


def _reopened(leaf: Leaf, window: Window) -> Facts:
    within = [each for each in leaf.log.completions if window.holds(each.at)]
    if within:
        yield Fact(Name.REOPENED, any(each.is_reopened for each in within), leaf.last, within[-1].at)


def _reviewed(leaf: Leaf, window: Window) -> Facts:
    for review in leaf.log.reviews:
        if (review.until and window.holds(review.until)) or (review.until is None and leaf.is_on_board):
            until = review.until or window.now
            yield Fact(Name.REVIEW_WAIT, _seconds(review.since, until), leaf.by(review.lease), until)
    is_first = True
    for verdict in leaf.log.verdicts:
        is_first &= verdict.is_approval
        if window.holds(verdict.at):
            yield Fact(Name.FIRST_PASS, is_first, leaf.by(verdict.lease), verdict.at)


def _leased(leaf: Leaf, window: Window) -> Facts:
    for each in leaf.tries:
        if window.holds(each.ended_at):
            yield Fact(Name.LEASE_LOSS, each.lease in leaf.log.lost, each, each.ended_at)


def _succeeded(leaf: Leaf, window: Window) -> Facts:
    """Yield a value for each client and model that delivered, failed or lost the task.

    What waits for its verdict is no success yet.
    """
    by_who: dict[tuple[str, str], list[Try]] = {}
    for each in leaf.tries:
        if each.outcome in _TELLING or each.lease in leaf.log.lost:
            by_who.setdefault((each.client, each.model), []).append(each)
    for tries in by_who.values():
        waits = leaf.log.status == Status.IN_REVIEW and tries[-1].lease == leaf.log.lease
        if window.holds(tries[-1].ended_at) and not waits:
            yield Fact(Name.SUCCESS, _score(tries, leaf.log), tries[-1], tries[-1].ended_at)


_TELLING = (Verb.COMPLETE, Verb.REQUEST_REVISION, Verb.FAIL)


def _score(tries: list[Try], log: Log) -> float:
    if any(each.outcome == Verb.FAIL or each.lease in log.lost for each in tries):
        return 0
    return {0: 1.0, 1: 0.5}.get(sum(log.revisions[each.lease] for each in tries), 0)


def _seconds(start: datetime, end: datetime) -> float:
    """Never below zero: the clock may have been set back."""
    return max(0.0, (end - start).total_seconds())


_DEFINITIONS: tuple[Callable[[Leaf, Window], Facts], ...] = (
    *(_planned, _completed, _reopened, _reviewed, _leased, _succeeded),
)
