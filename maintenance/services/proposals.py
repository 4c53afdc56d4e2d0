"""Proposals: the token that a preview answers for them, and doing exactly what was previewed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from time import monotonic
from typing import Any

from django.db.models import Max

from maintenance.found import Found
from maintenance.services.import_plan import import_plan
from maintenance.services.purge import export_of, purge
from maintenance.services.repair import repair
from orchestrator_site.kernel.errors import Conflict
from tasks.identity.actor import Actor
from tasks.models import Event, Project, Task
from tasks.services.actions import require_seen, seen_as
from tasks.services.archive import archive, restore
from tasks.services.archive_plans import archive_plans
from tasks.services.steer import release

Change = dict[str, Any]
"""What was done: `{verb, task_id, title}`, with `conflict` where the task had changed and was left alone.

What is only about to be done is `begun`.
"""
Progress = Callable[[list[Change], list[Change], int], None]
"""Called before some changes, with everything done so far, what is done next, and how many proposals there are."""
ORDER = ("archive", "restore", "purge", "import", "repair", "release")
NOTED_EVERY = 0.5
"""About how many seconds lie between two notes of the progress: each writes all that was done so far."""
TOGETHER = 300
"""Tasks that change in one transaction at most, about 15 ms, unless one plan alone has more."""
UNKNOWN = 20  # tasks of a proposal that does not say how many it is about
_SEEN = ("parent_id", "status", "lease_number", "archived_at", "active_at")
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
    tasks = list(Task.objects.filter(pk__in=keys).order_by("pk").only(*_SEEN))
    seen = [[row.pk, seen_as(row), str(row.archived_at), str(row.active_at)] for row in tasks]
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
    for verb, some in by_verb.items():
        do = _BULK.get(verb) or partial(_one_by_one, verb)
        for ahead in _between_notes(list(_together(some))):
            begun = [_change(verb, each) | {"begun": True} for few in ahead for each in few]
            progress(changes, begun, len(proposals))
            for few in ahead:
                changes += do(project, few, actor, reason)
    return changes


def _between_notes(batches: list[list[Found]]) -> Iterator[list[list[Found]]]:
    """Yield as many batches at once as took about NOTED_EVERY before."""
    number = 1
    while batches:
        began, ahead, batches = monotonic(), batches[:number], batches[number:]
        yield ahead
        number = number * 2 if monotonic() - began < NOTED_EVERY else max(1, number // 2)


def _together(proposals: Iterable[Found]) -> Iterator[list[Found]]:
    """Cut proposals where the tasks that they are about become too many for one short transaction."""
    few: list[Found] = []
    tasks = 0
    for each in proposals:
        size = each.evidence.get("tasks", UNKNOWN)
        if few and tasks + size > TOGETHER:
            yield few
            few, tasks = [], 0
        few.append(each)
        tasks += size
    if few:
        yield few


def _archive_all(project: Project, some: list[Found], actor: Actor, reason: str) -> list[Change]:
    """Archive plans together, and tasks within plans one by one."""
    plans = {each.task_pk: each.seen for each in some if each.task_pk and each.seen}
    done = {row.pk for row in archive_plans(project=project, plans=plans, actor=actor, reason=reason)}
    changes = [_change("archive", each) for each in some if each.task_pk in done]
    if left := [each for each in some if each.task_pk not in done]:
        changes += _one_by_one("archive", project, left, actor, reason)  # which says why it is not possible
    return changes


def _one_by_one(verb: str, project: Project, some: list[Found], actor: Actor, reason: str) -> list[Change]:
    changes = []
    for each in some:
        change = _change(verb, each)
        try:
            _DO[verb](project, each, actor, reason)
        except Conflict as conflict:
            change["conflict"] = conflict.message
        changes.append(change)
    return changes


def _repair_all(project: Project, some: list[Found], actor: Actor, reason: str) -> list[Change]:
    return repair(project=project, found=some, actor=actor)


def _change(verb: str, found: Found) -> Change:
    return {"verb": verb, "task_id": found.subject.partition(" ")[0], "title": found.title[:80]}


def _task(found: Found) -> Task:
    task = Task.objects.select_related("project").filter(pk=found.task_pk or 0).first()
    if task is None:
        raise Conflict(f"{found.subject} is not there any more.")
    return task


def _release(project: Project, found: Found, actor: Actor, reason: str) -> None:
    task = _task(found)
    release(task=task, actor=actor, reason=reason, guard=partial(require_seen, seen=seen_as(task)))


def _archive(project: Project, found: Found, actor: Actor, reason: str) -> None:
    archive(task=_task(found), actor=actor, reason=reason, guard=partial(require_seen, seen=found.seen))


def _restore(project: Project, found: Found, actor: Actor, reason: str) -> None:
    restore(task=_task(found), actor=actor, reason=reason)


def _purge(project: Project, found: Found, actor: Actor, reason: str) -> None:
    # Assistants purge where the project has it switched on; a person who applies a preview has confirmed it.
    purge(task=_task(found), actor=actor, confirmed=actor.kind == "person")


def _import(project: Project, found: Found, actor: Actor, reason: str) -> None:
    import_plan(project=project, export=export_of(project, found.subject), actor=actor)


_DO: dict[str, Callable[[Project, Found, Actor, str], None]] = {
    "archive": _archive, "restore": _restore, "purge": _purge, "import": _import, "release": _release
}  # fmt: skip
_BULK: dict[str, Callable[[Project, list[Found], Actor, str], list[Change]]] = {
    "archive": _archive_all,
    "repair": _repair_all,
}
