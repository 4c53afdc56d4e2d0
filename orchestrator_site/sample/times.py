"""Lay the story of the sample out in time: it is told within a second, and happened over two days.

This is the one place that dates rows back, and only rows of the project that has just been made, in the transaction
that makes it. Events say what happened when; every other time follows from them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from artifacts.models import Artifact, ArtifactVersion, ReviewComment, Upload
from orchestrator_site.sample.team import Moment
from tasks.choices import Status, Verb
from tasks.models import Dependency, Event, Project, Session, Task, ToolUse

_BETWEEN = timedelta(seconds=2)
"""Events of one moment follow each other at this distance, and stay in order."""
_CAUSED = {
    "orchestrator_initialize_session": (Verb.OPEN_SESSION,),
    "orchestrator_plan_task": (Verb.PLAN,),
    "orchestrator_execute_subtask": (Verb.CLAIM,),
    "orchestrator_store_artifact": (Verb.DELIVER,),
    "orchestrator_complete_subtask": (Verb.DELIVER,),
    "orchestrator_update_task": (Verb.BLOCK, Verb.FAIL),
}
"""The events that a tool's calls left, which say when it was called."""
_DONE = (Verb.COMPLETE, Verb.APPROVE, Verb.FINISH)


def lay_out(project: Project, moments: Sequence[Moment]) -> None:
    """Date the project's events, and with them everything else."""
    dated = _events(project, moments)
    _sessions(project, dated)
    _tasks(project, dated)
    _works(project, dated)
    Project.objects.filter(pk=project.pk).update(created_at=dated[0].created_at)


def _events(project: Project, moments: Sequence[Moment]) -> list[Event]:
    now, starts = timezone.now(), [moment.after_event for moment in moments]
    events = list(Event.objects.filter(project=project).order_by("id"))
    place, before = 0, -1
    for event in events:
        at = max(bisect_right(starts, event.pk - 1) - 1, 0)
        place, before = (place + 1, at) if at == before else (0, at)
        event.created_at = now - timedelta(minutes=moments[at].minutes_ago) + place * _BETWEEN
    Event.objects.bulk_update(events, ["created_at"], batch_size=500)
    return events


def _sessions(project: Project, events: Sequence[Event]) -> None:
    for session in Session.objects.filter(project=project):
        own = [event for event in events if event.session_id == session.pk]
        session.started_at = session.selected_at = own[0].created_at
        session.last_seen_at = own[-1].created_at
        session.ended_at = own[-1].created_at if session.ended_at else None
        session.save(update_fields=["started_at", "selected_at", "last_seen_at", "ended_at"])
        for use in session.tool_uses.all():
            caused = [event.created_at for event in own if event.verb in _CAUSED[use.tool]]
            ToolUse.objects.filter(pk=use.pk).update(first_at=caused[0], last_at=caused[-1])


def _tasks(project: Project, events: Sequence[Event]) -> None:
    tasks = list(Task.objects.filter(project=project))
    for task in tasks:
        own = [event for event in events if event.task_id == task.pk]
        _date(task, own)
    Task.objects.bulk_update(tasks, ["created_at", "updated_at", "started_at", "completed_at"], batch_size=500)
    Dependency.objects.filter(task__project=project).update(created_at=events[0].created_at)


def _date(task: Task, events: Sequence[Event]) -> None:
    task.created_at = events[0].created_at
    task.updated_at = _last(events, [event.verb for event in events if "status" in event.after])
    if task.started_at is not None:
        task.started_at = next(event.created_at for event in events if event.after.get("status") == Status.ACTIVE)
    if task.completed_at is not None:
        task.completed_at = _last(events, _DONE)


def _last(events: Sequence[Event], verbs: Iterable[str]) -> datetime:
    return next(event.created_at for event in reversed(events) if event.verb in set(verbs))


def _works(project: Project, events: Sequence[Event]) -> None:
    for event in events:
        if event.verb == Verb.DELIVER:
            name, number, at = event.after["artifact_id"], event.after["version"], event.created_at
            ArtifactVersion.objects.filter(artifact__public_id=name, number=number).update(created_at=at)
            first = {"created_at": at} if number == 1 else {}
            Artifact.objects.filter(public_id=name).update(updated_at=at, **first)
            Upload.objects.filter(version__artifact__public_id=name, version__number=number).update(
                created_at=at, last_append_at=at
            )
        elif event.verb == Verb.COMMENT:
            _comments(event)
    for verdict in (event for event in events if event.after.get("comments")):
        sent = ReviewComment.objects.filter(task=verdict.task_id, created_at__lte=verdict.created_at)
        sent.filter(sent_at__isnull=False).update(sent_at=verdict.created_at)


def _comments(event: Event) -> None:
    """Date the first comment that an event may be about; both were written in the same order."""
    undated = ReviewComment.objects.filter(task=event.task_id, created_at__gt=event.created_at).order_by("id")
    ReviewComment.objects.filter(pk__in=undated.values("pk")[:1]).update(created_at=event.created_at)
