"""What the deliveries of a task, or of the subtasks of a plan, decided and learned."""

from __future__ import annotations

from collections.abc import Iterable

from tasks.models import Note, Task

SHOWN = 100
_FIELDS = ("kind", "text", "because", "instead_of", "actor_name", "created_at", "task__public_id", "task__title")


def notes_on(task: Task) -> list[Note]:
    """Return the newest notes of a task, oldest first; only what was delivered has any."""
    return notes_of_tasks([task.pk]) if task.summary else []


def notes_of_tasks(tasks: Iterable[int]) -> list[Note]:
    """Return the newest notes of some tasks, by their keys, oldest first."""
    rows = Note.objects.filter(task__in=list(tasks)).select_related("task")
    return list(rows.only(*_FIELDS).order_by("-id")[:SHOWN])[::-1]
