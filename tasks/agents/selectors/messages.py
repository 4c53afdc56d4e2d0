"""What people have said to the agents of a task, and no agent has got yet."""

from __future__ import annotations

from django.db.models import QuerySet

from tasks.agents.models import RunMessage


def unsent(task: int) -> QuerySet[RunMessage]:
    """Return the messages that the next attempt at a task begins with, whichever of its runs they were written to."""
    return RunMessage.objects.filter(run__task=task, sent_at=None)


def at_line(path: str, line: int | None) -> str:
    """Return how a message about a line begins, or about a whole file."""
    return f"{path}, line {line}:" if line else f"{path}:"
