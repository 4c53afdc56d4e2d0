"""What a supervisor does with rows: it says that it is there, takes runs, and takes over those of one that died."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from orchestrator_site.kernel import ids
from orchestrator_site.kernel.errors import OrchestratorError
from tasks import events
from tasks.agents.choices import WORKING, RunState, Workspace
from tasks.agents.models import Run, Supervisor
from tasks.agents.selectors.isolation import isolation_of
from tasks.agents.selectors.runs import cost_of_plan
from tasks.agents.selectors.supervisors import ABSENT_AFTER, present
from tasks.agents.services.tokens import principal_of
from tasks.agents.services.transitions import NotKept, move, write
from tasks.choices import FINISHED
from tasks.identity.actor import Actor
from tasks.services import sessions
from tasks.services.claim import claim

_LOOKED_AT = 50
SUPERVISOR = Actor.system("supervisor")


def register(*, machine: str, pid: int) -> Supervisor:
    Supervisor.objects.filter(seen_at__lt=timezone.now() - 4 * ABSENT_AFTER, runs=None).delete()
    return Supervisor.objects.create(public_id=ids.supervisor_id(), machine=machine, pid=pid)


def beat(*, supervisor: Supervisor, facts: dict[str, Any]) -> bool:
    """Say that it is there; return False where its row is gone, since it was away for too long."""
    return bool(Supervisor.objects.filter(pk=supervisor.pk).update(seen_at=timezone.now(), facts=facts))


def leave(*, supervisor: Supervisor) -> None:
    """Be gone at once: its runs wait for the next one."""
    Supervisor.objects.filter(pk=supervisor.pk).delete()


def adopt(*, supervisor: Supervisor) -> list[Run]:
    """Take over the runs on this machine whose supervisor is gone."""
    lost = Run.objects.filter(state__in=WORKING, machine=supervisor.machine)
    lost = lost.filter(Q(supervisor=None) | ~Q(supervisor__in=present()))
    return [run for run in lost.select_related("task", "project") if _taken_over(run, supervisor)]


def _taken_over(run: Run, supervisor: Supervisor) -> bool:
    try:
        write(run, supervisor=supervisor, keeping=run.keeping + 1)
    except NotKept:
        return False
    return True


def take(*, supervisor: Supervisor, slots: int, queued: QuerySet[Run]) -> list[Run]:
    """Take up to so many of these queued runs that may begin now, each with the lease of its task."""
    taken: list[Run] = []
    _end_needless()
    due = queued.filter(Q(not_before=None) | Q(not_before__lte=timezone.now()), task__is_ready=True)
    for run in due.select_related("task", "project").order_by("-task__priority", "id")[:_LOOKED_AT]:
        if len(taken) >= slots:
            break
        if _begun(run, supervisor):
            taken.append(run)
    return taken


def _begun(run: Run, supervisor: Supervisor) -> bool:
    if why := _why_not_yet(run):
        Run.objects.filter(pk=run.pk, state=RunState.QUEUED).exclude(reason=why).update(reason=why)
        return False
    try:
        with transaction.atomic(), events.together():
            if not Run.objects.select_for_update().filter(pk=run.pk, state=RunState.QUEUED).exists():
                return False
            made = claim(task=run.task, actor=session_actor(run))
            run.task = made.task
            move(
                run, RunState.PREPARING, actor=SUPERVISOR, supervisor=supervisor, machine=supervisor.machine,
                keeping=run.keeping + 1, lease_number=made.task.lease_number, session=made.task.lease_session,
                started_at=run.started_at or timezone.now(), not_before=None, stop="",
            )  # fmt: skip
    except OrchestratorError as error:  # the task was claimed, or changed, in between
        Run.objects.filter(pk=run.pk, state=RunState.QUEUED).update(reason=error.message)
        return False
    return True


def _why_not_yet(run: Run) -> str:
    is_on, settings = isolation_of(run.project)
    if not is_on:
        return "Isolated agents were switched off for the project."
    working = Run.objects.filter(project=run.project_id, state__in=WORKING)
    if working.filter(task__dependents__task=run.task).exists():
        return "The changes of a task that it builds on are being collected."
    if settings.parallel and working.count() >= settings.parallel:
        return f"{settings.parallel} runs of the project are at work."
    if run.workspace == Workspace.CURRENT and working.filter(workspace=Workspace.CURRENT).exists():
        return "Another run works in the project's own folder."
    beside = working.filter(workspace=Workspace.PERSISTENT, task__parent=run.task.parent_id)
    if run.workspace == Workspace.PERSISTENT and beside.exists():
        return "Another run works in the same worktree."
    if cost_of_plan(run.plan_id) >= settings.plan_cost_usd:
        return f"The runs of this plan have cost {settings.plan_cost_usd} USD, which is the limit."
    return ""


def _end_needless() -> None:
    """End queued runs whose task is finished or gone from the board."""
    needless = Q(task__status__in=FINISHED) | Q(task__archived_at__isnull=False)
    for run in Run.objects.filter(needless, state=RunState.QUEUED).select_related("task")[:_LOOKED_AT]:
        try:
            move(run, RunState.FAILED, actor=SUPERVISOR, reason=f"The task is {run.task.status} by other means.")
        except NotKept:
            continue  # it was killed just now


def session_actor(run: Run) -> Actor:
    """Return who holds the task of a run: the session that the agent's own calls belong to."""
    session, _ = sessions.open_session(
        project=run.project, principal=principal_of(run), connection_id=f"token:{run.public_id}",
        client_name=f"{run.agent} ({run.public_id})", model=run.model,
    )  # fmt: skip
    return Actor.assistant(session, principal_of(run).scopes, run.task_id)


def still_kept(runs: Iterable[Run]) -> None:
    """Renew the leases of runs at work, whose agents may think for long between two calls."""
    for run in runs:
        if run.session is not None:
            sessions.touch(run.session)
