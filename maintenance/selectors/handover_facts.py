"""What a handover is made of: rows, and numbers that were counted with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from artifacts.models import Artifact, ReviewComment, Upload
from maintenance.choices import Level
from maintenance.models import Finding, Handover
from maintenance.selectors.scope import Scope
from tasks.models import Event, Note, Task
from tasks.selectors.gates import GateState
from tasks.selectors.rows import Counts

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """A plan, its leaves by status, how many are ready, and its longest chain of open tasks.

    `path` is None where the plan has more open tasks than are looked at.
    """

    plan: Task
    counts: Counts
    ready: int
    path: list[Task] | None


@dataclass(frozen=True, slots=True)
class Listed(Generic[Row]):
    """The first rows of a kind, and how many there are."""

    rows: list[Row]
    total: int


@dataclass(frozen=True, slots=True)
class Facts:
    """One state of the rows of a scope. `events` are the newest first; `since` is the handover before."""

    scope: Scope
    level: Level
    cursor: int
    as_of: datetime | None
    since: Handover | None
    plans: Listed[PlanFacts]
    last_finished: Task | None
    counts: dict[str, int]
    in_hand: Listed[Task]
    uploads: dict[int, list[Upload]]
    ready: Listed[Task]
    unblocks: dict[int, int]
    stopped: list[Task]
    revisions: list[Task]
    waiting: list[Task]
    needs: dict[int, list[str]]
    waiting_total: int
    events: list[Event]
    seen_from: int
    """The id of the oldest event that was looked at; 0 where that is all of them."""
    comments: list[ReviewComment]
    """Those that earlier verdicts took along; an open revision has its own in its words."""
    notes: list[Note]
    artifacts: Listed[Artifact]
    changed_at: dict[int, datetime]
    """When something other than a test was last delivered, by plan."""
    findings: Listed[Finding]
    rules: dict[str, object]
    own_roles: dict[str, str]
    """The source of each role of the project's own."""
    gates: list[tuple[Task, list[GateState]]]
    """Of the tasks in hand and in review."""
    states: dict[int, str] = field(default_factory=dict)
    """What an audit of an artifact's content found, by its key."""
