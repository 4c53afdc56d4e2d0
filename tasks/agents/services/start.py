"""Start runs: one for each task that is named, or for each unfinished leaf of a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from orchestrator_site.kernel import ids
from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid, NotReady, invalid
from orchestrator_site.kernel.identity import Scope
from tasks import events
from tasks.agents.adapters import ADAPTERS
from tasks.agents.choices import LIVE, Communication, RunState, Workspace
from tasks.agents.models import Run
from tasks.agents.selectors.isolation import isolation_of
from tasks.agents.selectors.supervisors import require_supervisor
from tasks.agents.settings import IsolationSettings
from tasks.choices import CLAIMABLE, FINISHED, Verb
from tasks.identity.actor import Actor
from tasks.models import Project, Task
from tasks.selectors.descendants import descendants_of

STARTED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Wish:
    """What the caller wants of its runs; empty is as the project's settings say. Limits can only be lower."""

    agent: str = ""
    model: str = ""
    minutes: int | None = None
    idle_minutes: int | None = None
    turns: int | None = None
    cost_usd: Decimal | None = None
    workspace: Workspace = Workspace.NEW
    communication: Communication = Communication.ARTIFACT
    base: str = ""


def start_runs(
    *, project: Project, actor: Actor, tasks: Sequence[Task], wish: Wish = Wish(), user_id: int | None = None
) -> list[Run]:
    """Queue a run for each leaf, all or none; a group stands for its unfinished leaves.

    A task that waits for others is run once they are completed. Raises Forbidden for an agent inside a run, NotReady
    while isolation is off or no supervisor is there, Invalid for what the project does not allow, Conflict where a task
    has a run, is held, finished, or has failed as often as the project allows.
    """
    actor.require(Scope.WRITE)
    if actor.only_task is not None:
        raise Forbidden("An agent in a run starts no runs.", next="Do your subtask; say what should follow it.")
    is_on, settings = isolation_of(project)
    if not is_on:
        raise NotReady(
            f"Isolated agents are off for {project.slug}.",
            next="A person can switch them on, on the project's page for agents.",
        )
    columns = _columns(settings, wish)
    require_supervisor()
    leaves = _leaves(tasks)
    try:
        with transaction.atomic(), events.together():
            return [_queued(leaf, actor, settings, columns, user_id) for leaf in leaves]
    except IntegrityError as error:
        raise Conflict("Another run was started at the same time.", next="See what runs, and retry.") from error


def _columns(settings: IsolationSettings, wish: Wish) -> dict[str, Any]:
    agent = wish.agent or settings.agent
    if agent not in settings.agents:
        raise Invalid(
            f"agent: {agent!r} is not allowed in this project.",
            next="Choose one of the allowed.",
            details={"allowed": list(settings.agents)},
        )
    if wish.workspace == Workspace.CURRENT and not settings.own_folder:
        raise Invalid("workspace: agents may not work in the project's own folder.", next="Use a worktree (new).")
    _require_short(model=(wish.model, 100), base=(wish.base, 200))
    communication = wish.communication if ADAPTERS[agent].supports.board else Communication.FILE
    limits = {
        "minutes": min(wish.minutes or settings.minutes, settings.minutes),
        "idle_minutes": min(wish.idle_minutes or settings.idle_minutes, settings.idle_minutes),
        "turns": min(wish.turns or settings.turns, settings.turns),
        "cost_usd": str(min(settings.cost_usd if wish.cost_usd is None else wish.cost_usd, settings.cost_usd)),
    }
    return {
        "agent": agent, "model": wish.model, "workspace": wish.workspace, "communication": communication,
        "base": wish.base or settings.base, "limits": limits,
    }  # fmt: skip


def _require_short(**said: tuple[str, int]) -> None:
    problems = [
        {"at": name, "problem": f"must have up to {limit} printable characters"}
        for name, (value, limit) in said.items()
        if len(value) > limit or not value.isprintable()
    ]
    if problems:
        raise invalid(problems, next="Send a name, or omit it.")


def _leaves(tasks: Sequence[Task]) -> list[Task]:
    groups = [task.pk for task in tasks if not task.is_leaf]
    below = Task.objects.on_board().leaves().filter(pk__in=descendants_of(groups)).exclude(status__in=FINISHED)
    found = {task.pk: task for task in (*tasks, *below.order_by("position")) if task.is_leaf}
    if not found:
        raise Conflict("There is no unfinished task to run.", next="Name a task that is pending.")
    if len(found) > STARTED_AT_ONCE:
        raise Invalid(f"{len(found)} tasks at once; {STARTED_AT_ONCE} are allowed.", next="Name a part of the plan.")
    return list(found.values())


def _queued(task: Task, actor: Actor, settings: IsolationSettings, columns: dict[str, Any], user_id: int | None) -> Run:
    task = Task.objects.select_for_update(of=("self",)).get(pk=task.pk)
    if task.archived_at is not None or task.status not in CLAIMABLE:
        raise Conflict(
            f"{task.public_id} is {'archived' if task.archived_at else task.status}: it cannot be run.",
            next="Only pending tasks and those to be revised can be.",
        )
    earlier = task.runs.exclude(state__in=[RunState.SUCCEEDED, RunState.INTERRUPTED, *LIVE]).count()
    if earlier >= settings.attempts and actor.kind != "person":
        raise Conflict(
            f"{task.public_id} has failed in {earlier} runs, which is the limit.",
            next="A person can look at them and start another.",
        )
    if live := task.runs.filter(state__in=LIVE).first():
        raise Conflict(
            f"{task.public_id} has a run already: {live.public_id}.",
            next="Monitor that one, or end it first.",
            details={"run_id": live.public_id},
        )
    run = Run.objects.create(
        public_id=ids.run_id(), project_id=task.project_id, task=task, plan_id=task.plan_id,
        started_by=actor.name, user_id=user_id, **columns,
    )  # fmt: skip
    note = {"run": run.public_id, "state": RunState.QUEUED.value, "agent": run.agent}
    events.record(actor=actor, verb=Verb.RUN, project=task.project_id, task=task, after=note)
    return run
