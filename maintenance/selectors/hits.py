"""What the checks of the structure share: what is asked, and what a check returns before its tasks are named."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from maintenance.choices import Cause, Level, Severity
from maintenance.selectors.scope import Scope
from maintenance.selectors.snapshot import Snapshot, snapshot_of
from tasks.models import TaskQuerySet


@dataclass(frozen=True, slots=True)
class Hit:
    """A task with a fault. `other` belongs to the subject too; `members` are named in the evidence."""

    task: int
    other: int | None = None
    members: tuple[int, ...] = ()
    subject: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)
    is_repairable: bool = True


@dataclass(frozen=True)
class Asked:
    """One run of the checks; what several of them need is read once."""

    scope: Scope
    level: Level
    now: datetime

    @property
    def tasks(self) -> TaskQuerySet:
        return self.scope.tasks().order_by("pk")

    @cached_property
    def snapshot(self) -> Snapshot:
        return snapshot_of(self.scope)

    @cached_property
    def _keys(self) -> frozenset[int]:
        return frozenset(self.scope.tasks().order_by().values_list("pk", flat=True))

    def in_scope(self, hits: Iterable[Hit]) -> list[Hit]:
        """Return the hits of the scope, of a circle those that it touches, in the order of their tasks."""
        kept = sorted(hits, key=lambda hit: (hit.task, hit.other or 0))
        if self.scope.is_everything:
            return kept
        return [hit for hit in kept if not self._keys.isdisjoint((hit.task, *hit.members))]


@dataclass(frozen=True, slots=True)
class Check:
    """What one check looks for. With `is_repaired`, maintenance/services/repair.py knows the repair of its cause."""

    cause: Cause
    severity: Severity
    level: Level
    find: Callable[[Asked], list[Hit]]
    advice: str
    is_repaired: bool = False
