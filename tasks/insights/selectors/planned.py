"""Which specialist was planned for what, event by event: each step as the task was then, though it was edited later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from orchestrator_site.kernel.compiled import Compiled
from tasks.choices import Verb
from tasks.insights.models import Lesson, Reader
from tasks.models import Event, Project, Task
from tasks.selectors.feed import last_id

LONG = {Verb.IMPORT, Verb.PURGE}
"""Events that each concern all tasks of a plan."""
_READ = (Verb.PLAN, Verb.EDIT, Verb.SPLIT, *LONG)
_CHANGING = (Verb.PLAN, Verb.EDIT, Verb.SPLIT)
BATCH = 200
"""Events that are read at once."""
_TAUGHT_BY = ("title", "description", "specialist", "is_leaf")
_CHUNK = 500
_events = Compiled(
    lambda project, after, until: (
        Event.objects.filter(project=project, id__gt=after, id__lte=until, verb__in=_READ)
        .order_by("id")
        .only("verb", "task_id", "after", "project_id")[: BATCH + 1]
    )
)


@dataclass(frozen=True, slots=True)
class Step:
    """What a task teaches from an event on. Without a specialist, or with subtasks, it teaches nothing.

    `is_new`: it was planned by this event. `is_choice`: the specialist was chosen by it.
    """

    event_id: int
    task_id: int
    is_new: bool
    is_choice: bool
    title: str
    description: str
    specialist: str


@dataclass(frozen=True, slots=True)
class Backlog:
    """The next events that may teach something. `until` is where to go on."""

    events: list[Event]
    until: int
    has_more: bool


def backlog_of(project_id: int, cursor: int, *, limit: int = BATCH) -> Backlog:
    until = last_id()
    events = _events(project=project_id, after=cursor, until=until)
    if has_more := len(events) > limit:
        until = events[limit - 1].pk
    return Backlog(events[:limit], until, has_more)


def waiting(until: int) -> QuerySet[Project]:
    """Return the projects with a backlog up to an event."""
    rows = Event.objects.filter(project=OuterRef("pk"), id__lte=until, verb__in=_READ)
    read = Reader.objects.filter(project=OuterRef("project")).values("cursor")
    return Project.objects.filter(Exists(rows.filter(id__gt=Coalesce(Subquery(read), 0))))


def steps_of(project_id: int, events: list[Event]) -> Iterator[Step]:
    imported = [event.task_id for event in events if event.verb == Verb.IMPORT]
    # The rows first: a change in between is then among the later changes, which set what was before them.
    tasks = {task.pk: task for task in _tasks(Task.objects.filter(root__in=imported))} if imported else {}
    below = list(tasks.values())
    for keys in _chunks({event.task_id for event in events if event.task_id}):
        tasks |= {task.pk: task for task in _tasks(Task.objects.filter(pk__in=keys))}
    changes = _changes(tasks, events[0].pk) if events else {}
    for event in events:
        if event.verb == Verb.PURGE:
            yield from _gone(project_id, event.pk)
        named = [tasks[event.task_id]] if event.task_id in tasks else []
        for task in [each for each in below if each.root_id == event.task_id] if event.verb == Verb.IMPORT else named:
            later = [each for each in changes.get(task.pk, []) if each.pk > event.pk]
            if not any(each.verb == Verb.PLAN for each in later):  # else it was planned into a plan after its import
                yield _step(event, task, later)


def _gone(project_id: int, event_id: int) -> Iterator[Step]:
    """Yield a step that teaches nothing for each task that taught and was purged."""
    gone = Lesson.objects.filter(~Exists(Task.objects.filter(pk=OuterRef("pk"))), project=project_id)
    for key in gone.values_list("pk", flat=True):
        yield Step(event_id, key, is_new=False, is_choice=False, title="", description="", specialist="")


def _tasks(rows: Any) -> Iterable[Task]:
    found: Iterable[Task] = rows.order_by("pk").only(*_TAUGHT_BY, "root_id")
    return found


def _changes(keys: Iterable[int], first: int) -> dict[int, list[Event]]:
    """Return the changes of each task from an event on, the newest first."""
    found: dict[int, list[Event]] = {}
    for chunk in _chunks(keys):
        rows = Event.objects.filter(task__in=chunk, id__gt=first, verb__in=_CHANGING).order_by("-id")
        for event in rows.only("verb", "task_id", "before"):
            if event.task_id is not None:
                found.setdefault(event.task_id, []).append(event)
    return found


def _step(event: Event, task: Task, later: list[Event]) -> Step:
    """Return a task as it was after an event, by taking back all later changes, the newest first."""
    state = {name: getattr(task, name) for name in _TAUGHT_BY}
    for change in later:
        state["is_leaf"] = state["is_leaf"] or change.verb == Verb.SPLIT
        state |= {name: change.before[name] for name in _TAUGHT_BY if name in change.before}
    is_new = event.verb == Verb.PLAN
    return Step(
        event_id=event.pk,
        task_id=task.pk,
        is_new=is_new,
        is_choice=is_new or "specialist" in event.after,
        title=state["title"],
        description=state["description"],
        specialist=state["specialist"] if state["is_leaf"] else "",
    )


def _chunks(keys: Iterable[int]) -> Iterator[list[int]]:
    ordered = sorted(keys)
    for start in range(0, len(ordered), _CHUNK):
        yield ordered[start : start + _CHUNK]
