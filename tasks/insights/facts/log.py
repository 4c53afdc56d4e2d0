"""What the events of one task say about it, read in their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from tasks.choices import Status, Verb

SETTLED_AFTER = timedelta(days=14)
"""A completed task that is sent back later than this was accepted."""


class Row(NamedTuple):
    """An event: its verb, the status and the lease number after it. `is_lost` says that the lease ended with it."""

    verb: str
    status: str | None
    lease_number: int | None
    is_lost: bool
    at: datetime


@dataclass(slots=True)
class Completion:
    at: datetime
    is_reopened: bool = False


@dataclass(slots=True)
class Review:
    """A delivery that waits for its verdict; `until` is None while it does."""

    lease: int
    since: datetime
    until: datetime | None = None


class Verdict(NamedTuple):
    lease: int
    at: datetime
    is_approval: bool


@dataclass(slots=True)
class Log:
    """`revisions` counts by lease how often its delivery was sent back, and not too late."""

    status: str | None = None
    lease: int = 0
    planned_at: datetime | None = None
    claimed_at: datetime | None = None
    completions: list[Completion] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    revisions: Counter[int] = field(default_factory=Counter)
    lost: set[int] = field(default_factory=set)
    is_delivered: bool = False
    missed_first: bool = False
    is_waived: bool = False

    @property
    def completed_at(self) -> datetime | None:
        """When it was completed last, if it still is."""
        return self.completions[-1].at if self.completions and self.status == Status.COMPLETED else None

    def note(self, row: Row) -> None:
        if row.verb == Verb.PLAN:
            self.planned_at = self.planned_at or row.at
        elif row.verb == Verb.CLAIM:
            self.lease, self.claimed_at = row.lease_number or self.lease + 1, self.claimed_at or row.at
        elif row.verb == Verb.MISS_GATE:
            self.missed_first |= not self.is_delivered
        elif row.verb in (Verb.APPROVE, Verb.REQUEST_REVISION):
            self._judge(row)
        self.is_waived |= row.verb == Verb.WAIVE
        self.is_delivered |= row.verb == Verb.COMPLETE
        if row.is_lost:
            self.lost.add(self.lease)
        if row.status:
            self._follow(row, row.status)

    def _judge(self, row: Row) -> None:
        """Note a verdict. One more approval of what is approved is none."""
        verdict = Verdict(self.lease, row.at, row.verb == Verb.APPROVE)
        if not (verdict.is_approval and self.verdicts and self.verdicts[-1]._replace(at=row.at) == verdict):
            self.verdicts.append(verdict)
        if verdict.is_approval:
            return
        if self.status == Status.COMPLETED and self.completions:
            self.completions[-1].is_reopened = row.at - self.completions[-1].at <= SETTLED_AFTER
            self.revisions[self.lease] += self.completions[-1].is_reopened
        else:
            self.revisions[self.lease] += 1

    def _follow(self, row: Row, status: str) -> None:
        if self.status == Status.IN_REVIEW and status != Status.IN_REVIEW and self.reviews:
            self.reviews[-1].until = row.at
        if status == Status.IN_REVIEW:
            self.reviews.append(Review(self.lease, row.at))
        if status == Status.COMPLETED and self.status != Status.COMPLETED:
            self.completions.append(Completion(row.at))
        self.status = status


def read(rows: Iterable[Row]) -> Log:
    log = Log()
    for row in rows:
        log.note(row)
    return log
