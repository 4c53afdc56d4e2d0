"""What the deliveries of a task decided and learned."""

from __future__ import annotations

from tasks.models import Note, Task

SHOWN = 100


def notes_on(task: Task) -> list[Note]:
    """Return the newest notes of a task, oldest first; only what was delivered has any."""
    if not task.summary:
        return []
    return list(Note.objects.filter(task=task).order_by("-id")[:SHOWN])[::-1]
