"""Leases: who holds a task, until when, and by which fencing number.

The number only grows. A write with an older one is refused, so a replaced holder cannot overwrite its successor
(Kleppmann, "How to do distributed locking", 2016).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from orchestrator_site.kernel.commits import unchanged
from orchestrator_site.kernel.compiled import Compiled
from orchestrator_site.kernel.errors import Conflict, Hint
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.text import called
from tasks import events
from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Project, ResourceHold, Session, Task, TaskQuerySet, knowing_needs
from tasks.project_settings import setting
from tasks.services import deferrals, rollup, transitions
from tasks.services import holds as held_resources

_is_any_due = Compiled(
    lambda project, now, latest: (
        Task.objects.filter(Q(lease_expires_at__lte=now) | Q(lease_expires_at__gt=latest), project=project)
        .on_board().leaves().filter(status=Status.ACTIVE).order_by().values_list("pk")[:1]
    )
)  # fmt: skip

HOLDER_SHOWN = 4
SWEEP_LIMIT = 100  # expired leases that one sweep frees, so that no claim waits long for it


def duration(project: Project) -> timedelta:
    return timedelta(minutes=setting(project, "lease_minutes") or settings.ORCHESTRATOR_LEASE_MINUTES)


def is_holder(task: Task, actor: Actor) -> bool:
    """Whether the actor's session holds the lease, expired or not."""
    is_held = task.status == Status.ACTIVE and task.is_leaf
    return is_held and actor.session is not None and task.lease_session_id == actor.session.pk


def holds(task: Task, actor: Actor, lease_number: int | None) -> bool:
    """Whether the actor holds the lease, or sends its number with the token of the holder."""
    return is_holder(task, actor) or _proves_itself(task, actor, lease_number)


def _proves_itself(task: Task, actor: Actor, lease_number: int | None) -> bool:
    """Whether the request has the token of the holder and the number of the lease.

    Requests of one HTTP client may belong to different sessions: it lost a connection, or omitted its handle.
    """
    if lease_number != task.lease_number or actor.session is None or not actor.session.token_id:
        return False
    return task.lease_session is not None and task.lease_session.token_id == actor.session.token_id


def require_holder(task: Task, actor: Actor, *, lease_number: int | None = None) -> None:
    """Check that the actor may change an active task. Raises Conflict, and Forbidden for an agent in another's run.

    A person and the system always may. An assistant must hold the lease, unless it has expired.
    """
    actor.require_task(task.pk)
    require_number(task, lease_number)
    if actor.kind != "assistant" or holds(task, actor, lease_number):
        return
    if task.status == Status.ACTIVE and not task.lease_is_over(timezone.now()):
        raise held(task)


def require_not_anothers(task: Task, actor: Actor) -> None:
    """Check that no other assistant holds the task, or that the actor may review. Raises Conflict."""
    if actor.kind != "assistant" or Scope.REVIEW in actor.scopes or is_holder(task, actor):
        return
    if task.status == Status.ACTIVE and task.is_leaf and not task.lease_is_over(timezone.now()):
        raise held(task)


def require_number(task: Task, lease_number: int | None) -> None:
    """Check that a number is that of the newest lease. Raises Conflict."""
    if lease_number is None or lease_number == task.lease_number:
        return
    if lease_number > task.lease_number:
        raise Conflict(
            f"{task.public_id} has no lease {lease_number} yet.",
            next="Send the lease_number of your claim, or omit it.",
        )
    raise Conflict(
        f"Lease {lease_number} of {task.public_id} was replaced: the task was taken over.",
        next=f"{unchanged()} Stop working on it.".lstrip(),
        hint=Hint.CLAIM_NEXT,
        details={"status": task.status},
    )


def held(task: Task) -> Conflict:
    # By its end alone, since a whole session id is a credential.
    holder = f"…{task.lease_session.public_id[-HOLDER_SHOWN:]}" if task.lease_session else ""
    until = task.lease_expires_at.isoformat(timespec="seconds") if task.lease_expires_at else ""
    return Conflict(
        f"{task.public_id} is held by another session ({called(task.lease_holder)}).",
        hint=Hint.CLAIM_NEXT_OR_TAKE_OVER,
        details={"status": task.status, "lease_expires_at": until, "holder_session": holder},
    )


def free(task: Task, *, actor: Actor, why: str) -> Task:
    """Give an active task back. Call it with the row locked."""
    note = {"reason": why}
    if task.lease_expires_at is not None and task.lease_is_over(timezone.now()):  # the attempt ended then
        note["lease_ended_at"] = task.lease_expires_at.isoformat(timespec="seconds")
    return transitions.move(task, Verb.RELEASE, to=Status.PENDING, actor=actor, note=note)


def free_run_out(*, project: Project) -> list[Task]:
    """Give back the tasks whose lease expired or whose session ended, and return them; resources held alone, too.

    What was deferred until now is not any more, and is returned with them. No lease ends later than one that begins
    now, or the clock was set back: it is shortened.
    """
    now = timezone.now()
    latest = now + duration(project)
    if held_resources.is_any_over(project_id=project.pk, now=now, latest=latest):
        _free_holds(project, now, latest)
    started = deferrals.end_due(project=project, now=now, limit=SWEEP_LIMIT)
    if not _is_any_due(project=project, now=now, latest=latest):
        return started
    with transaction.atomic():
        held_resources.lock_all(project.pk)
        tasks = Task.objects.filter(project=project).on_board()
        tasks.filter(status=Status.ACTIVE, lease_expires_at__gt=latest).update(lease_expires_at=latest)
        return started + free_over(tasks.lease_over(now), limit=SWEEP_LIMIT)


def free_over(tasks: TaskQuerySet, *, limit: int | None = None) -> list[Task]:
    """Give active leaves back whose lease is over. Call it in a transaction with the resources locked."""
    system, known = Actor.system(), knowing_needs(tasks).select_related("lease_session", "project")
    freed = list(known.select_for_update(of=("self",), skip_locked=True)[:limit])
    for task in freed:
        ended = task.lease_session is not None and task.lease_session.ended_at is not None
        free(task, actor=system, why="The holder's session ended." if ended else "The lease expired.")
    for task in freed:
        rollup.settle(task, actor=system)
    return freed


def _free_holds(project: Project, now: datetime, latest: datetime) -> None:
    with transaction.atomic():
        held_resources.lock_all(project.pk)
        for hold in held_resources.free_run_out(project_id=project.pk, now=now, latest=latest):
            after = {"resource": hold.resource.name, "number": hold.number, "reason": "Its time ran out."}
            events.record(actor=Actor.system(), verb=Verb.LET_GO, project=project, after=after)


def free_everywhere() -> int:
    total = 0
    for project in Project.objects.order_by("id"):  # one by one, since the index begins with the project
        while freed := len(free_run_out(project=project)):
            total += freed
    return total


def end_of(sessions: list[Session], now: datetime) -> int:
    held = Task.objects.filter(lease_session__in=sessions, status=Status.ACTIVE, lease_expires_at__gt=now)
    ResourceHold.objects.filter(session__in=sessions, expires_at__gt=now).update(expires_at=now)
    return held.update(lease_expires_at=now)


def renew(session: Session) -> int:
    now = timezone.now()
    running = Task.objects.on_board().filter(lease_session=session, status=Status.ACTIVE, lease_expires_at__gt=now)
    until = now + duration(session.project)
    ResourceHold.objects.filter(session=session, expires_at__gt=now).update(expires_at=until)
    return running.update(lease_expires_at=until)
