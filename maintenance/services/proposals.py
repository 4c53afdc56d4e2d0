"""Proposals: the token that a preview answers for them, and doing exactly what was previewed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from django.db.models import Max

from maintenance.found import Found
from maintenance.services.purge import purge
from maintenance.services.repair import repair
from orchestrator_site.kernel.errors import Conflict
from tasks.identity.actor import Actor
from tasks.models import Event, Project, Task
from tasks.services.actions import require_seen, seen_as
from tasks.services.archive import archive, restore
from tasks.services.archive_plans import BATCH, archive_plans
from tasks.services.steer import release

Change = dict[str, Any]
"""What was done: `{verb, task_id, title}`, with `conflict` where the task had changed and was left alone."""
Progress = Callable[[list[Change], int], None]
"""Called after a batch, with everything done so far and how many proposals there are."""
ORDER = ("archive", "restore", "purge", "repair", "release")
NOTED = 50
"""How often progress is noted at most: what was done so far is written each time."""
_CHUNK = 500
_TOKEN = 16


def token_of(request: Sequence[str], proposals: Iterable[Found]) -> str:
    """Return the hash of what a call would do, and of the newest event of the tasks that it would do it to."""
    rows = sorted((each.proposal, each.cause, each.subject, each.task_pk or 0) for each in proposals)
    keys = sorted({key for *_, key in rows})
    newest = [_state_of(keys[start : start + _CHUNK]) for start in range(0, len(keys), _CHUNK)]
    return hashlib.sha256(json.dumps([request, rows, newest]).encode()).hexdigest()[:_TOKEN]


def _state_of(keys: list[int]) -> list[Any]:
    """Return what changes with every change of these tasks, and of those below these plans."""
    tasks = Task.objects.filter(pk__in=keys)
    seen = [[row.pk, seen_as(row), str(row.archived_at), str(row.active_at)] for row in tasks.order_by("pk")]
    plans = [row.pk for row in tasks if row.is_plan]
    own = Event.objects.filter(task__in=keys).aggregate(newest=Max("pk"))["newest"]
    below = Event.objects.filter(task__root__in=plans).aggregate(newest=Max("pk"))["newest"]
    return [seen, max(own or 0, below or 0)]


def apply(
    *, project: Project, proposals: Sequence[Found], actor: Actor, reason: str, progress: Progress
) -> list[Change]:
    """Do each proposal in its own short transaction, and return what was done in the order in which it was."""
    by_verb = {verb: [each for each in proposals if each.proposal == verb] for verb in ORDER}
    changes: list[Change] = []
    noted, step = 0, max(1, len(proposals) // NOTED)
    for verb, some in by_verb.items():
        do = _BULK.get(verb) or partial(_one_by_one, verb)
        for start in range(0, len(some), BATCH):
            changes += do(project, some[start : start + BATCH], actor, reason)
            if len(changes) - noted >= step:
                noted = len(changes)
                progress(changes, len(proposals))
    return changes


def _archive_all(project: Project, some: list[Found], actor: Actor, reason: str) -> list[Change]:
    """Archive plans together, and tasks within plans one by one."""
    tasks = {row.pk: row for row in Task.objects.filter(pk__in=[each.task_pk for each in some])}
    plans = {pk: seen_as(row) for pk, row in tasks.items() if row.is_plan}
    done = {row.pk for row in archive_plans(project=project, plans=plans, actor=actor, reason=reason)}
    changes = [_change("archive", each) for each in some if each.task_pk in done]
    left = [each for each in some if each.task_pk not in done]
    return changes + _one_by_one("archive", project, left, actor, reason)  # which says why it is not possible


def _one_by_one(verb: str, project: Project, some: list[Found], actor: Actor, reason: str) -> list[Change]:
    changes = []
    tasks = {row.pk: row for row in Task.objects.filter(pk__in=[each.task_pk for each in some])}
    for each in some:
        change = _change(verb, each)
        try:
            if (task := tasks.get(each.task_pk or 0)) is None:
                raise Conflict(f"{each.subject} is not there any more.")
            _DO[verb](task, actor, reason)
        except Conflict as conflict:
            change["conflict"] = conflict.message
        changes.append(change)
    return changes


def _repair_all(project: Project, some: list[Found], actor: Actor, reason: str) -> list[Change]:
    return repair(project=project, found=some, actor=actor)


def _change(verb: str, found: Found) -> Change:
    return {"verb": verb, "task_id": found.subject.partition(" ")[0], "title": found.title[:80]}


def _release(task: Task, actor: Actor, reason: str) -> None:
    guard = partial(require_seen, seen=seen_as(task))
    release(task=task, actor=actor, reason=reason, guard=guard)


def _archive(task: Task, actor: Actor, reason: str) -> None:
    archive(task=task, actor=actor, reason=reason, guard=partial(require_seen, seen=seen_as(task)))


_DO: dict[str, Callable[[Task, Actor, str], object]] = {
    "archive": _archive,
    "restore": lambda task, actor, reason: restore(task=task, actor=actor, reason=reason),
    # Assistants purge where the project has it switched on; a person who applies a preview has confirmed it.
    "purge": lambda task, actor, reason: purge(task=task, actor=actor, confirmed=actor.kind == "person"),
    "release": _release,
}
_BULK: dict[str, Callable[[Project, list[Found], Actor, str], list[Change]]] = {
    "archive": _archive_all,
    "repair": _repair_all,
}
