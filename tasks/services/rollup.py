"""Roll a subtask's change up to its parents: they start, finish, resume and reopen with their subtasks."""

from __future__ import annotations

from functools import partial

from django.utils import timezone

from orchestrator_site.kernel.compiled import Compiled, CompiledUpdate
from orchestrator_site.kernel.errors import Conflict, Hint
from tasks import state_machine
from tasks.choices import CLAIMABLE, Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Task
from tasks.services import transitions

_DONE = (Status.COMPLETED, Status.IN_REVIEW)
# A subtask that is cancelled or blocked before its first attempt starts nothing.
_STARTED = [status for status in Status if status not in (Status.PENDING, Status.BLOCKED, Status.CANCELLED)]

_locked = Compiled(lambda pk: Task.objects.select_for_update(of=("self",)).filter(pk=pk))
_child_in = Compiled(
    lambda parent, statuses: (
        Task.objects.on_board().filter(parent=parent, status__in=statuses).order_by().values_list("pk")[:1]
    )
)
_done_and_archived = Compiled(
    lambda parent: (
        Task.objects.filter(parent=parent, archived_at__isnull=False, status=Status.COMPLETED)
        .order_by()
        .values_list("pk")[:1]
    )
)
_touch = CompiledUpdate(lambda pk: Task.objects.filter(pk=pk))


def settle(task: Task, *, actor: Actor, goes_on: bool = False) -> list[Task]:
    """Update every parent above a changed task and the time of its plan, and return the parents that changed.

    `goes_on` says that the task was active and that its parent has unfinished subtasks: then no parent changes.

    Call it in the transaction of the change. Parents are locked bottom-up, so that when two last subtasks finish at the
    same time, the second sees the first.
    """
    changed: list[Task] = []
    by = _system(actor)
    plan_key = task.plan_id
    while task.parent_id is not None and not goes_on:
        task.parent = _locked.get(pk=task.parent_id)
        if not _follow(task.parent, task, by):
            break
        task = task.parent
        changed.append(task)
    if task.pk != plan_key:  # a plan that moved has its time; rows are locked bottom-up, so this is last
        _touch({"active_at": timezone.now()}, pk=plan_key)
    return changed


def settle_without(task: Task, *, actor: Actor) -> None:
    """Update the parents above an unfinished task that left the board, as if it had never been there."""
    if task.parent_id is None:
        return
    parent = task.parent = _locked.get(pk=task.parent_id)
    if parent.archived_at is not None:
        return
    if _follow(parent, None, _system(actor)):
        settle(parent, actor=actor)
    if parent.pk != task.plan_id:
        _touch({"active_at": timezone.now()}, pk=task.plan_id)


def require_alive(task: Task) -> None:
    """Check that no parent above a task was cancelled. Raises Conflict."""
    while task.parent is not None:
        task = task.parent
        if task.status == Status.CANCELLED:
            raise Conflict(
                f"It belongs to {task.public_id}, which was cancelled.", next="Reopen that first.", hint=Hint.PLAN
            )


def catch_up(group: Task, *, actor: Actor) -> None:
    """Let a group that was reopened with its subtasks follow them. Raises Conflict where none is left to do or done."""
    _follow(group, None, _system(actor))
    if group.status == Status.CANCELLED:
        raise Conflict(
            f"The subtasks of {group.public_id} were cancelled one by one.",
            next="Reopen one of them: it comes back with it.",
            hint=Hint.SEE_TASK,
        )


def _system(actor: Actor) -> Actor:
    return Actor(kind="system", name="orchestrator", session=actor.session)


def _has_started(parent: Task) -> bool:
    return bool(_child_in(parent=parent, statuses=_STARTED) or _done_and_archived(parent=parent))


def _follow(parent: Task, changed: Task | None, by: Actor) -> bool:
    """Update one parent; return False where its status stays.

    What the changed subtask answers is not queried; every other question is one index lookup.
    """
    before = parent.status
    move = partial(transitions.move, parent, actor=by)
    now = changed.status if changed else None
    if now in state_machine.UNFINISHED or _child_in(parent=parent, statuses=list(state_machine.UNFINISHED)):
        if before in _DONE:
            move(Verb.RESUME, to=Status.ACTIVE)
        elif before == Status.CANCELLED:
            move(Verb.REOPEN, to=Status.PENDING, reason="")
        if parent.status in CLAIMABLE and (now in _STARTED or _has_started(parent)):
            move(Verb.START, to=Status.ACTIVE)
    elif _child_in(parent=parent, statuses=[Status.COMPLETED]) or _done_and_archived(parent=parent):
        if before in CLAIMABLE:
            move(Verb.START, to=Status.ACTIVE)
        if parent.status == Status.ACTIVE:
            waits = parent.is_reviewed or parent.gates  # those of a task that was divided: the verdict judges them
            move(Verb.FINISH, to=Status.IN_REVIEW if waits else Status.COMPLETED, review_comment="")
    elif before in state_machine.UNFINISHED:
        move(Verb.CANCEL, to=Status.CANCELLED, reason="All its subtasks were cancelled.")
    return parent.status != before
