"""How many tasks of the whole site have a status, counted up to a limit."""

from __future__ import annotations

from tasks.choices import Status
from tasks.models import Project, Task

COUNTED = 99
_ANY_KIND = (True, False)
"""Leaves and groups. Unless both are named, SQLite reads the whole index of statuses."""


def to_review() -> str:
    """Return how many tasks are in review as text: empty for none, `99+` at most."""
    number = count(Status.IN_REVIEW)
    return in_words(number) if number else ""


def count(status: Status, *, leaves_only: bool = False) -> int:
    """Return how many tasks have a status, COUNTED + 1 at most."""
    kinds = (True,) if leaves_only else _ANY_KIND
    tasks = Task.objects.filter(status=status, is_leaf__in=kinds).on_board()
    return tasks.filter(project__in=Project.objects.order_by().values("pk")).order_by()[: COUNTED + 1].count()


def in_words(number: int) -> str:
    return f"{COUNTED}+" if number > COUNTED else str(number)
