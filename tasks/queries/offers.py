"""Which verbs a page offers somebody for a task: those that are possible now, and theirs to ask for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tasks.choices import Status, Verb
from tasks.models import Task
from tasks.principals import Scope
from tasks.services.transitions import TABLE


@dataclass(frozen=True, slots=True)
class Offer:
    """How a page names a verb. `reason` asks for words: `must` be there, `may` be, or none (empty)."""

    verb: Verb
    label: str
    says: str
    reason: str = ""
    scope: Scope = Scope.WRITE
    ends_work: bool = False


OFFERS = (
    Offer(Verb.APPROVE, "Approve", "Accept the work; what waits for it can begin.", "may", Scope.REVIEW),
    Offer(
        Verb.REQUEST_REVISION, "Send back", "Say what to mend; it stands first in the next brief.", "must", Scope.REVIEW
    ),
    Offer(Verb.CLAIM, "Take it", "Do it yourself; no assistant takes it meanwhile."),
    Offer(Verb.RELEASE, "Release", "Give it back, for somebody else to take.", "may"),
    Offer(Verb.UNBLOCK, "Unblock", "Let it be taken again."),
    Offer(Verb.RETRY, "Retry", "Let it be tried once more."),
    Offer(Verb.BLOCK, "Block", "Stop it until somebody unblocks it.", "must"),
    Offer(Verb.FAIL, "Mark failed", "Give up on it, for now.", "must"),
    Offer(Verb.CANCEL, "Cancel", "Drop it with everything unfinished below it.", "may", ends_work=True),
)
BY_VERB = {offer.verb: offer for offer in OFFERS}


def offers_for(task: Task, scopes: Iterable[Scope]) -> list[Offer]:
    """Return what somebody with these scopes may ask for now, what moves on first."""
    granted = frozenset(scopes)
    return [offer for offer in OFFERS if offer.scope in granted and _is_possible(offer.verb, task)]


def _is_possible(verb: Verb, task: Task) -> bool:
    transition = TABLE[verb]
    if task.archived_at is not None or not transition.is_for(task) or task.status not in transition.sources:
        return False
    if verb == Verb.CLAIM:
        return task.is_ready
    return verb != Verb.APPROVE or task.status == Status.IN_REVIEW
