"""Spread the sample, which loads in a second, over two days.

Only this module backdates rows, and only rows of the project being loaded, inside the transaction that creates it.
Events say what happened when; every other time follows from them.
"""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from artifacts.models import Artifact, ArtifactVersion, ReviewComment, Upload
from tasks.choices import Status, Verb
from tasks.models import Attempt, Dependency, Event, Project, Session, Task, ToolUse

_INTERVAL = timedelta(seconds=2)
"""The distance between events with the same `hours_ago`, which keeps them in order."""
_CAUSED = {
    "orchestrator_initialize_session": (Verb.OPEN_SESSION,),
    "orchestrator_plan_task": (Verb.PLAN,),
    "orchestrator_execute_subtask": (Verb.CLAIM,),
    "orchestrator_store_artifact": (Verb.DELIVER,),
    "orchestrator_complete_subtask": (Verb.DELIVER,),
    "orchestrator_update_task": (Verb.BLOCK, Verb.FAIL),
}
"""The events recorded by a tool's calls, which say when it was called."""
_DONE = (Verb.COMPLETE, Verb.APPROVE, Verb.FINISH)


class Timeline:
    def __init__(self, project: Project) -> None:
        self._project = project
        self._events: list[Event] = []
        self._now = self._next = timezone.now()

    def date_events(self, hours_ago: float | None) -> None:
        """Date the events recorded since the last call; without `hours_ago` they follow the ones before."""
        if hours_ago is not None:
            self._next = self._now - timedelta(hours=hours_ago)
        last = self._events[-1].pk if self._events else 0
        for event in Event.objects.filter(project=self._project, pk__gt=last).order_by("pk"):
            event.created_at = self._next
            self._next += _INTERVAL
            self._events.append(event)

    def save(self) -> None:
        Event.objects.bulk_update(self._events, ["created_at"], batch_size=500)
        self._save_sessions()
        self._save_tasks()
        self._save_attempts()
        self._save_artifacts()
        self._save_comments()
        Project.objects.filter(pk=self._project.pk).update(created_at=self._events[0].created_at)

    def _save_sessions(self) -> None:
        for session in Session.objects.filter(project=self._project):
            own = [event for event in self._events if event.session_id == session.pk]
            session.started_at = session.selected_at = own[0].created_at
            session.last_seen_at = own[-1].created_at
            session.ended_at = own[-1].created_at if session.ended_at else None
            session.save(update_fields=["started_at", "selected_at", "last_seen_at", "ended_at"])
            for use in session.tool_uses.all():
                caused = [event.created_at for event in own if event.verb in _CAUSED[use.tool]]
                ToolUse.objects.filter(pk=use.pk).update(first_at=caused[0], last_at=caused[-1])

    def _save_tasks(self) -> None:
        tasks = list(Task.objects.filter(project=self._project))
        for task in tasks:
            own = [event for event in self._events if event.task_id == task.pk]
            task.created_at = own[0].created_at
            task.updated_at = [event.created_at for event in own if "status" in event.after][-1]
            if task.started_at is not None:
                task.started_at = next(e.created_at for e in own if e.after.get("status") == Status.ACTIVE)
            if task.completed_at is not None:
                task.completed_at = [event.created_at for event in own if event.verb in _DONE][-1]
        Task.objects.bulk_update(tasks, ["created_at", "updated_at", "started_at", "completed_at"], batch_size=500)
        Dependency.objects.filter(task__project=self._project).update(created_at=self._events[0].created_at)

    def _save_attempts(self) -> None:
        for attempt in Attempt.objects.filter(task__project=self._project):
            moves = [each for each in self._events if each.task_id == attempt.task_id and "status" in each.after]
            claims = [place for place, event in enumerate(moves) if event.verb == Verb.CLAIM]
            began = claims[attempt.lease_number - 1]
            attempt.started_at, attempt.ended_at = (each.created_at for each in moves[began : began + 2])
            attempt.save(update_fields=["started_at", "ended_at"])

    def _save_artifacts(self) -> None:
        for event in (event for event in self._events if event.verb == Verb.DELIVER):
            public_id, number, at = event.after["artifact_id"], event.after["version"], event.created_at
            ArtifactVersion.objects.filter(artifact__public_id=public_id, number=number).update(created_at=at)
            first = {"created_at": at} if number == 1 else {}
            Artifact.objects.filter(public_id=public_id).update(updated_at=at, **first)
            Upload.objects.filter(version__artifact__public_id=public_id, version__number=number).update(
                created_at=at, last_append_at=at
            )

    def _save_comments(self) -> None:
        comments = ReviewComment.objects.filter(task__project=self._project).order_by("id")
        events = (event for event in self._events if event.verb == Verb.COMMENT)
        for comment, event in zip(comments, events, strict=True):
            comment.created_at = event.created_at
            comment.save(update_fields=["created_at"])
        for verdict in (event for event in self._events if event.after.get("comments")):
            sent = ReviewComment.objects.filter(task=verdict.task_id, sent_at__isnull=False)
            sent.filter(created_at__lte=verdict.created_at).update(sent_at=verdict.created_at)
