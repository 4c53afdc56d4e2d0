"""The actions that a page offers for a task: possible now, and allowed for the person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone

from orchestrator_site.kernel.identity import Scope
from tasks.choices import FINISHED, Status, Verb
from tasks.models import Task
from tasks.state_machine import LIFECYCLE, TABLE


@dataclass(frozen=True, slots=True)
class Offer:
    """An action on a page. `reason` is `must`, `may` or empty: whether it takes a reason.

    `moves_on` separates actions that advance a task from those that stop or drop it.
    """

    verb: Verb
    label: str
    says: str
    reason: str = ""
    ends_work: bool = False
    moves_on: bool = True

    @property
    def scope(self) -> Scope:
        return TABLE[self.verb].scope


OFFERS = (
    Offer(Verb.APPROVE, "Approve", "Accept the result. Dependent tasks can start.", "may"),
    Offer(
        Verb.REQUEST_REVISION,
        "Request changes",
        "Explain what needs to change. It comes first in the next brief.",
        "must",
    ),
    Offer(Verb.CLAIM, "Assign to me", "Claim it; assistants will skip it."),
    Offer(Verb.RELEASE, "Release", "End the claim so that others can take over.", "may"),
    Offer(Verb.UNBLOCK, "Unblock", "Answer the question. The answer comes first in the next brief.", "may"),
    Offer(Verb.RETRY, "Retry", "Allow another attempt. Your advice comes first in the next brief.", "may"),
    Offer(Verb.REOPEN, "Reopen", "Make it pending again, with the subtasks that were cancelled with it."),
    Offer(Verb.RESTORE, "Restore", "Put it back on the board, with what was archived with it.", "may"),
    Offer(Verb.BLOCK, "Block", "Pause it until someone unblocks it.", "must", moves_on=False),
    Offer(Verb.FAIL, "Mark failed", "End the attempt. It can be retried later.", "must", moves_on=False),
    Offer(
        Verb.CANCEL,
        "Cancel task",
        "Cancel this task and all of its unfinished subtasks. It can be reopened.",
        "may",
        ends_work=True,
        moves_on=False,
    ),
    Offer(
        Verb.ARCHIVE,
        "Archive",
        "Take it off the board, with everything below it. It can still be found, and restored.",
        "may",
        moves_on=False,
    ),
)
BY_VERB: dict[str, Offer] = {offer.verb.value: offer for offer in OFFERS}


def offers_for(task: Task, scopes: Iterable[Scope]) -> list[Offer]:
    granted = frozenset(scopes)
    return [offer for offer in OFFERS if offer.scope in granted and _is_possible(offer.verb, task)]


def may_complete(task: Task, scopes: Iterable[Scope]) -> bool:
    """Whether these scopes allow completing the task now: it is active or ready."""
    is_open = task.is_leaf and task.archived_at is None
    return is_open and Scope.WRITE in frozenset(scopes) and (task.status == Status.ACTIVE or task.is_ready)


def may_edit(task: Task, scopes: Iterable[Scope]) -> bool:
    return Scope.WRITE in frozenset(scopes) and task.archived_at is None and task.status not in FINISHED


def may_waive(task: Task, scopes: Iterable[Scope]) -> bool:
    return Scope.REVIEW in frozenset(scopes) and task.archived_at is None and task.status not in FINISHED


def _is_possible(verb: Verb, task: Task) -> bool:
    transition = TABLE[verb]
    if verb in LIFECYCLE:
        return (task.archived_at is None) == (verb == Verb.ARCHIVE) and task.lease_is_over(timezone.now())
    if task.archived_at is not None or not transition.is_for(task) or task.status not in transition.sources:
        return False
    if verb == Verb.CLAIM:
        return task.is_ready
    return verb != Verb.APPROVE or task.status == Status.IN_REVIEW
