"""The state machine: from which statuses each verb starts, and where it leads."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator_site.kernel.identity import Scope
from tasks.choices import CLAIMABLE, Status, Verb
from tasks.models import Task

UNFINISHED = frozenset(Status) - {Status.COMPLETED, Status.CANCELLED}


@dataclass(frozen=True, slots=True)
class Transition:
    """Where a verb starts and leads, whether it is for leaves or groups, and the scope it needs."""

    sources: frozenset[Status]
    targets: frozenset[Status]
    leaves: bool = True
    groups: bool = False
    scope: Scope = Scope.WRITE

    def is_for(self, task: Task) -> bool:
        return self.leaves if task.is_leaf else self.groups


def _of(*statuses: Status) -> frozenset[Status]:
    return frozenset(statuses)


_DONE = _of(Status.COMPLETED, Status.IN_REVIEW)

TABLE: dict[Verb, Transition] = {
    Verb.CLAIM: Transition(frozenset(CLAIMABLE), _of(Status.ACTIVE)),
    Verb.COMPLETE: Transition(_of(Status.ACTIVE), _DONE),
    Verb.HAND_BACK: Transition(_of(Status.ACTIVE), _of(Status.NEEDS_REVISION)),
    Verb.APPROVE: Transition(_DONE, _of(Status.COMPLETED), groups=True, scope=Scope.REVIEW),
    Verb.REQUEST_REVISION: Transition(_DONE, _of(Status.NEEDS_REVISION), scope=Scope.REVIEW),
    Verb.BLOCK: Transition(_of(Status.PENDING, Status.ACTIVE, Status.NEEDS_REVISION), _of(Status.BLOCKED)),
    Verb.UNBLOCK: Transition(_of(Status.BLOCKED), _of(Status.PENDING)),
    Verb.FAIL: Transition(_of(Status.ACTIVE), _of(Status.FAILED)),
    Verb.RETRY: Transition(_of(Status.FAILED), _of(Status.PENDING)),
    Verb.RELEASE: Transition(_of(Status.ACTIVE), _of(Status.PENDING)),
    Verb.CANCEL: Transition(UNFINISHED, _of(Status.CANCELLED), groups=True),
    Verb.REOPEN: Transition(_of(Status.CANCELLED), _of(Status.PENDING), groups=True),
    # These keep the status.
    Verb.ARCHIVE: Transition(frozenset(Status), frozenset(Status), groups=True),
    Verb.RESTORE: Transition(frozenset(Status), frozenset(Status), groups=True),
    # A group follows its subtasks; callers never ask for these.
    Verb.START: Transition(frozenset(CLAIMABLE), _of(Status.ACTIVE), leaves=False, groups=True),
    Verb.FINISH: Transition(_of(Status.ACTIVE), _DONE, leaves=False, groups=True),
    Verb.RESUME: Transition(_DONE, _of(Status.ACTIVE), leaves=False, groups=True),
}

LIFECYCLE = (Verb.ARCHIVE, Verb.RESTORE)
ASKED_FOR = tuple(
    verb for verb in TABLE if verb not in (Verb.START, Verb.FINISH, Verb.RESUME, Verb.HAND_BACK, *LIFECYCLE)
)


def possible_for(task: Task) -> list[str]:
    """Return the verbs that change the status of a task now; none while it is archived."""
    if task.archived_at is not None:
        return []
    return [verb.value for verb in ASKED_FOR if TABLE[verb].is_for(task) and task.status in TABLE[verb].sources]
