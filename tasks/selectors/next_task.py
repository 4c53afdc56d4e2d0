"""The best next task: the order in which ready tasks are handed out, and why. docs/routing.md explains it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from orchestrator_site.kernel.compiled import Compiled
from orchestrator_site.kernel.text import shortened
from tasks.choices import Priority, Status
from tasks.models import Attempt, Project, Session, Task, TaskQuerySet
from tasks.selectors.overlaps import Overlap, overlaps_of_all, shared
from tasks.selectors.rows import ROW_FIELDS

RANK = ("priority", "status", "due_at", "chain", "unblocks")
"""What decides before anything about the session; tasks that are equal in these tie."""
TIES = 20
"""Ties of the last plan that are looked at."""
_DAY = timedelta(days=1)


class Reason(NamedTuple):
    """Why a task is next: a code, and a few words."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Candidate:
    task: Task
    reasons: list[Reason] = field(default_factory=list)
    overlaps: list[Overlap] = field(default_factory=list)


def next_tasks(
    project: Project, session: Session | None = None, specialist: str | None = None, limit: int = 3
) -> list[Candidate]:
    """Return the ready tasks that come next, the first as `claim_next` takes it for the session. Changes nothing.

    So nothing is among them whose deferral or lease is over but not yet ended; a claim ends it first. Without a
    session, nothing is said about the last plan, and tasks for certain clients and models are among them.
    """
    rows = Task.objects.filter(project=project).ready()
    rows = rows.filter(specialist=specialist) if specialist else rows
    rows = rows.filter(meant_for(**names_of(session))) if session else rows
    last = _last_of(session) if session else None
    found = list(rows[:limit])
    if found and last:
        found = closest(ties_of(rows, found[0], last["plan"])[:TIES], last["paths"])[:limit] + found
    found = list({task.pk: task for task in found}.values())[:limit]
    overlaps = overlaps_of_all(found, session)
    return [Candidate(task, list(_reasons(task, last)), overlaps[task.pk]) for task in found]


def meant_for(client: Any, model: Any) -> Q:
    """Return what tasks have to be for a client and a model, in lower case."""
    return (Q(for_client="") | Q(for_client=client)) & (Q(for_model="") | Q(for_model=model))


def names_of(session: Session) -> dict[str, str]:
    """Return the client and the model of a session, as wishes are stored."""
    return {"client": session.client_name.strip().lower(), "model": session.model.strip().lower()}


def is_meant_for(task: Task, session: Session) -> bool:
    """Whether no other client or model is wished for."""
    client, model = names_of(session).values()
    return task.for_client in ("", client) and task.for_model in ("", model)


class _First:
    """The first ready task of a project or a plan that is for a session; people may do all."""

    def __init__(self, column: str) -> None:
        def ready(key: Any, *which: Any) -> TaskQuerySet:
            return Task.objects.filter(*which, **{column: key}).ready().only(*ROW_FIELDS)[:1]

        self._of_all = Compiled(lambda key: ready(key))
        self._meant = Compiled(lambda key, client, model: ready(key, meant_for(client, model)))

    def __call__(self, key: int, session: Session | None) -> Task | None:
        return self._meant.first(key=key, **names_of(session)) if session else self._of_all.first(key=key)


first_of_project = _First("project")
# The plan implies the project; with it, SQLite would scan the queue of the whole project.
first_of_plan = _First("root")


def ties_of(ready: TaskQuerySet, best: Task, plan: int) -> TaskQuerySet:
    """Return the ready tasks of a plan that are as good as the best."""
    return ready.filter(root=plan, **{name: getattr(best, name) for name in RANK})


def closest(ties: Iterable[Task], paths: Sequence[Any]) -> list[Task]:
    """Order ties by whether they plan to change what was just changed; otherwise they stay in order."""
    return sorted(ties, key=lambda task: not shared(task.paths, paths)) if paths else list(ties)


def last_attempts(session: Any) -> Any:
    """Return the attempts of a session, the newest first, each with the plan and the paths of its task."""
    attempts = Attempt.objects.filter(session=session).order_by("-id")
    return attempts.annotate(plan=Coalesce("task__root", "task"))


def _last_of(session: Session) -> dict[str, Any] | None:
    rows = last_attempts(session).values("plan", "task__paths", "task__public_id")
    return next(
        ({"plan": row["plan"], "paths": row["task__paths"], "task": row["task__public_id"]} for row in rows[:1]), None
    )


def _reasons(task: Task, last: dict[str, Any] | None) -> Iterator[Reason]:
    if task.priority != Priority.NORMAL:
        yield Reason("priority", f"{task.priority_word.lower()} priority")
    if task.status == Status.NEEDS_REVISION:
        yield Reason("sent_back", "sent back")
    if task.due:
        yield Reason("due", _due(task.due - timezone.now()))
    if task.chain > 1:
        yield Reason("chain", f"chain of {task.chain}")
    if task.unblocks:
        yield Reason("unblocks", f"unblocks {task.unblocks}")
    if last and task.plan_id == last["plan"]:
        yield Reason("same_plan", f"same plan as {last['task']}")
        if paths := shared(task.paths, last["paths"]):
            yield Reason("same_paths", f"changes {shortened(paths[0], 60)} too")
    if task.for_client or task.for_model:
        yield Reason("wished", f"for {' and '.join(filter(None, (task.for_client, task.for_model)))}")


def _due(left: timedelta) -> str:
    if left < timedelta():
        return f"due {_amount(-left)} ago"
    return f"due in {_amount(left)}"


def _amount(span: timedelta) -> str:
    number, unit = (span // _DAY, "day") if span >= _DAY else (span // timedelta(hours=1), "hour")
    return f"{number} {unit}{'s' * (number != 1)}"
