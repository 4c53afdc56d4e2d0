"""What pages show of runs: those of a project or of all, what they cost, what they ask, and how each went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, Count, IntegerField, Q, QuerySet, Sum, Value, When
from django.utils import timezone

from tasks.agents.choices import LIVE, RESUMABLE, WORKING, AskState, RunState
from tasks.agents.models import Run, RunAsk, RunMessage
from tasks.choices import CLAIMABLE, FINISHED, Verb
from tasks.models import Event, Project, Task
from tasks.selectors.counts import BESIDE
from tasks.selectors.descendants import descendants_of
from tasks.selectors.rows import Rows, page_of

LIVE_SHOWN = 100
PER_PAGE = 20
PLANS_SHOWN = 10
ASKS_SHOWN = 20
RUNS_OF_TASK = 5
_FIRST = Case(When(state=RunState.ASKING, then=0), default=1, output_field=IntegerField())
_SUMS: Mapping[str, Any] = {
    "number": Count("pk"),
    "cost": Sum("cost_usd"),
    "read": Sum("tokens_in"),
    "written": Sum("tokens_out"),
    "cached": Sum("tokens_cached"),
}


@dataclass(frozen=True, slots=True)
class Phase:
    """For how long a run was in a state, and why; `end` is None for the one it is in, or ended in."""

    state: RunState
    start: datetime
    end: datetime | None
    reason: str
    actor: str


def of(project: Project | None) -> QuerySet[Run]:
    """Return the runs of a project, or of all, with what their rows name."""
    rows = Run.objects.select_related("task", "project", "plan")
    return rows if project is None else rows.filter(project=project)


def working(project: Project | None) -> list[Run]:
    """Return runs at work, those that ask first."""
    return list(of(project).filter(state__in=WORKING).order_by(_FIRST, "id")[:LIVE_SHOWN])


def queued(project: Project | None) -> list[Run]:
    return list(of(project).filter(state=RunState.QUEUED).order_by("-task__priority", "id")[:LIVE_SHOWN])


def ended(project: Project | None, *, page: int) -> Rows[Run]:
    return page_of(of(project).exclude(state__in=LIVE).order_by("-ended_at", "-id"), page=page, size=PER_PAGE)


def totals(project: Project | None) -> dict[str, Any]:
    """Sum up what runs have cost: their number, cost, and tokens read, written and cached."""
    return of(project).aggregate(**_SUMS)


def totals_by_plan(project: Project) -> list[dict[str, Any]]:
    """Sum up by plan, the dearest first."""
    rows: QuerySet[Any, Any] = Run.objects.filter(project=project).order_by().values("plan__public_id", "plan__title")
    return list(rows.annotate(**_SUMS).order_by("-cost", "-read")[:PLANS_SHOWN])


def open_asks() -> list[RunAsk]:
    """Return what agents of all projects ask, the oldest first."""
    rows = RunAsk.objects.filter(state=AskState.OPEN).select_related("run__task", "run__plan", "run__project")
    return list(rows.order_by("asked_at", "id")[:ASKS_SHOWN])


def count_asks() -> QuerySet[Any, Any]:
    """Return a row for the count of the inbox."""
    asked = RunAsk.objects.filter(state=AskState.OPEN).order_by()
    return asked.annotate(what=Value("asks")).values_list("what").annotate(Count("pk"))


def count_live() -> QuerySet[Any, Any]:
    """Return a row for the count beside that of the inbox."""
    live = Run.objects.filter(state__in=LIVE).order_by()
    return live.annotate(what=Value(BESIDE)).values_list("what").annotate(Count("pk"))


def phases_of(run: Run) -> list[Phase]:
    """Return the states that a run went through, by its events."""
    rows = Event.objects.filter(task=run.task_id, verb=Verb.RUN, after__run=run.public_id, after__has_key="state")
    moves = [event for event in rows.order_by("id") if event.after["state"] in RunState.values]
    ends: list[datetime | None] = [*(event.created_at for event in moves[1:]), run.ended_at]
    return [
        Phase(RunState(event.after["state"]), event.created_at, end, event.after.get("reason", ""), event.actor_name)
        for event, end in zip(moves, ends, strict=False)
    ]


def lasted(run: Run) -> timedelta | None:
    """Return for how long a run has been at work, without its time in the queue before."""
    return (run.ended_at or timezone.now()) - run.started_at if run.started_at else None


def runs_of(task: Task) -> list[Run]:
    """Return the newest runs of a task, or of a plan."""
    scope = Q(task=task) if task.is_leaf else Q(plan=task)
    return list(Run.objects.filter(scope).select_related("task")[:RUNS_OF_TASK])


def unmerged(plan: int) -> list[Run]:
    """Return the runs of a plan whose collected changes no one has merged or dismissed."""
    rows = Run.objects.filter(plan=plan, merged_commit="", dismissed_at=None).exclude(head_commit="")
    return list(rows.exclude(state__in=[RunState.TAMPERED, *LIVE]).select_related("task", "plan", "project"))


def comments_on(run: Run) -> list[RunMessage]:
    """Return what the next attempt will begin with, as far as it was written to this run."""
    return list(run.messages.filter(sent_at=None))


def runnable_below(task: Task) -> tuple[list[Task], int]:
    """Return the leaves below a group for which a run can be started, and how many unfinished ones there are besides.

    Those are held, blocked or failed, or have a run.
    """
    leaves = Task.objects.on_board().leaves().filter(pk__in=descendants_of([task.pk])).exclude(status__in=FINISHED)
    free = leaves.filter(status__in=CLAIMABLE).exclude(runs__state__in=LIVE)
    found = list(free.select_related("project").order_by("position", "pk"))
    return found, leaves.count() - len(found)


def may_have_run(task: Task) -> bool:
    """Whether a run can be started: for a leaf, or what is unfinished below a group."""
    if task.archived_at is not None or task.status in FINISHED:
        return False
    return task.status in CLAIMABLE if task.is_leaf else True


def may_resume(run: Run) -> bool:
    """Whether a run can go on; the service looks again."""
    is_ended_early = run.state in RESUMABLE and run.removed_at is None
    is_free = run.task.status in CLAIMABLE and run.task.archived_at is None
    return is_ended_early and is_free and not run.task.runs.filter(state__in=LIVE).exists()


def is_mergeable(run: Run) -> bool:
    """Whether there is something to merge or dismiss; the service looks again."""
    is_decided = bool(run.merged_commit or run.dismissed_at)
    return bool(run.head_commit) and not (run.is_live or is_decided or run.state == RunState.TAMPERED)
