"""The verbs that callers may ask for: one table for every entry point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.db import transaction

from orchestrator_site.kernel.errors import Conflict, invalid
from orchestrator_site.kernel.text import called, shortened
from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Event, Task
from tasks.roles import catalogue
from tasks.services import dependencies, review, steer
from tasks.services.archive import archive, restore
from tasks.services.claim import claim
from tasks.services.edit import Changes, edit
from tasks.services.effect import Effect


@dataclass(frozen=True, slots=True)
class Action:
    """A verb's service, what it does in a sentence, and the fields that it takes besides the task.

    Whether it may start, and the scope it needs, is in `tasks/state_machine.py`.
    """

    service: Callable[..., Effect]
    about: str
    fields: tuple[str, ...] = ()
    before_edit: bool = False  # it makes a task editable, so it comes first where both are asked for


ACTIONS: dict[Verb, Action] = {
    Verb.CLAIM: Action(claim, "Claim a task, or renew the lease on it.", ("take_over",)),
    Verb.APPROVE: Action(review.approve, "Accept what was delivered.", ("reason",)),
    Verb.REQUEST_REVISION: Action(
        review.request_revision, "Send a delivery back, with what needs to change.", ("reason",), before_edit=True
    ),
    Verb.BLOCK: Action(steer.block, "Stop a task until it is unblocked.", ("reason", "lease_number")),
    Verb.UNBLOCK: Action(
        steer.unblock,
        "Make a blocked task pending again, with an answer for its next brief.",
        ("answer",),
        before_edit=True,
    ),
    Verb.FAIL: Action(steer.fail, "Give up on an active task.", ("reason", "lease_number")),
    Verb.RETRY: Action(
        steer.retry,
        "Make a failed task pending again, with an answer for its next brief.",
        ("answer",),
        before_edit=True,
    ),
    Verb.RELEASE: Action(steer.release, "Give an active task back for others to claim.", ("reason", "lease_number")),
    Verb.CANCEL: Action(steer.cancel, "Cancel a task and everything unfinished below it.", ("reason",)),
    Verb.REOPEN: Action(
        steer.reopen, "Make a cancelled task pending again, with what was cancelled with it.", before_edit=True
    ),
    Verb.ARCHIVE: Action(archive, "Take a task and everything below it off the board.", ("reason",)),
    Verb.RESTORE: Action(
        restore, "Bring an archived task back, with what was archived with it.", ("reason",), before_edit=True
    ),
}
_NEWEST = 20  # how many of the newest events are searched for the one that moved the task


def perform(*, task: Task, verb: Verb, actor: Actor, seen: str = "", **fields: Any) -> Effect:
    """Do a verb with the fields that it takes. `seen` is the state in which a page showed the task, `active:3`.

    Raises Conflict where the task has moved since it was seen, and what the verb's service raises.
    """
    return ACTIONS[verb].service(task=task, actor=actor, guard=partial(require_seen, seen=seen), **fields)


def worded(verb: Verb | None, words: str, *, at: str = "reason") -> dict[str, str]:
    """Return the field of a verb that takes a caller's words, with these words.

    Raises Invalid, naming the argument `at`, for words that nothing would take: they are never dropped.
    """
    names = [name for name in ("reason", "answer") if verb and name in ACTIONS[verb].fields]
    if words.strip() and not names:
        problem = f"is not for {verb.value}" if verb else "is only for an action"
        raise invalid([{"at": at, "problem": problem}], next="Omit it.")
    return dict.fromkeys(names, words)


def update(*, task: Task, actor: Actor, changes: Changes, verb: Verb | None = None, **fields: Any) -> Effect:
    """Edit a task and do a verb to it in one transaction, in the order in which both are possible."""
    with transaction.atomic():
        if changes and verb is not None:  # either may need the graph, which is locked before resources
            dependencies.lock_tree(task)
        effect = Effect(task)
        if verb is not None and ACTIONS[verb].before_edit:
            effect = perform(task=task, verb=verb, actor=actor, **fields)
        if changes:
            edited = edit(task=task, actor=actor, changes=changes, catalogue=catalogue(task.project))
            effect = replace(effect, task=edited)
        if verb is not None and not ACTIONS[verb].before_edit:
            effect = perform(task=task, verb=verb, actor=actor, **fields)
    return effect


def seen_as(task: Task) -> str:
    return f"{task.status}:{task.lease_number}"


def require_seen(task: Task, seen: str) -> None:
    """Check that a locked task is still as a page showed it; an empty `seen` checks nothing.

    Raises Conflict, naming who changed it.
    """
    if seen and seen != seen_as(task):
        raise Conflict(
            f"{_who_moved(task)} “{shortened(task.title, 80)}” is {Status(task.status).label.lower()} now.",
            next="Check its current state first.",
            details={"status": task.status},
        )


def _who_moved(task: Task) -> str:
    """Name who moved a task last, and how; an edit or a comment does not move it."""
    newest = Event.objects.filter(task=task).select_related("session").order_by("-id")[:_NEWEST]
    moved = next((event for event in newest if "status" in event.after), None)
    if moved is None:
        return "The task changed since you opened it."
    client = moved.session.client_name if moved.session else ""
    what = Verb(moved.verb).done_to("it") if moved.verb in Verb.values else moved.verb
    return f"{moved.actor_name}{f' with {called(client)}' if client else ''} {what} first."
