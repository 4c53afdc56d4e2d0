"""Roll a subtask's change up to its parents: they start, finish and reopen with their subtasks."""

from __future__ import annotations

from orchestrator_site.kernel.errors import Conflict, Hint
from tasks import state_machine
from tasks.choices import CLAIMABLE, Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Task
from tasks.services import transitions

_DONE = (Status.COMPLETED, Status.IN_REVIEW)
# A subtask that is cancelled or blocked before its first attempt starts nothing.
_STARTED = [status for status in Status if status not in (Status.PENDING, Status.BLOCKED, Status.CANCELLED)]


def settle(task: Task, *, actor: Actor) -> list[Task]:
    """Update every parent above a changed task, and return those that changed.

    Call it in the transaction of the change. Parents are locked bottom-up, so that when two last subtasks finish at the
    same time, the second sees the first.
    """
    changed: list[Task] = []
    by = Actor(kind="system", name="orchestrator", session=actor.session)
    while task.parent_id is not None:
        task.parent = Task.objects.select_for_update(of=("self",)).get(pk=task.parent_id)
        if not _follow(task.parent, task, by):
            break
        task = task.parent
        changed.append(task)
    return changed


def require_alive(task: Task) -> None:
    """Check that no parent above a task was cancelled. Raises Conflict."""
    while task.parent is not None:
        task = task.parent
        if task.status == Status.CANCELLED:
            raise Conflict(
                f"It belongs to {task.public_id}, which was cancelled.",
                hint=Hint.PLAN,
            )


def _follow(parent: Task, changed: Task, by: Actor) -> bool:
    """Update one parent; return False where its status stays.

    What the changed subtask answers is not queried; every other question is one index lookup.
    """
    before = parent.status
    children = parent.children.on_board()
    if changed.status in state_machine.UNFINISHED or children.filter(status__in=state_machine.UNFINISHED).exists():
        _keep_going(parent, changed, by)
    elif children.filter(status=Status.COMPLETED).exists():
        _finish(parent, by)
    elif parent.status in state_machine.UNFINISHED:
        transitions.move(parent, Verb.CANCEL, to=Status.CANCELLED, actor=by, reason="All its subtasks were cancelled.")
    return parent.status != before


def _keep_going(parent: Task, changed: Task, by: Actor) -> None:
    if parent.status in _DONE:
        transitions.move(parent, Verb.REOPEN, to=Status.ACTIVE, actor=by)
    elif parent.status in CLAIMABLE and _is_started(parent, changed):
        transitions.move(parent, Verb.START, to=Status.ACTIVE, actor=by)


def _is_started(parent: Task, changed: Task) -> bool:
    return changed.status in _STARTED or parent.children.on_board().filter(status__in=_STARTED).exists()


def _finish(parent: Task, by: Actor) -> None:
    if parent.status in CLAIMABLE:
        transitions.move(parent, Verb.START, to=Status.ACTIVE, actor=by)
    if parent.status == Status.ACTIVE:
        to = Status.IN_REVIEW if parent.requires_review else Status.COMPLETED
        transitions.move(parent, Verb.FINISH, to=to, actor=by, review_comment="")
