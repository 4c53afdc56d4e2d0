"""How much stands in a state on the whole site, as far as a person would count."""

from __future__ import annotations

from tasks.choices import Status
from tasks.models import Project, Task

COUNTED = 99
_ANY_KIND = (True, False)
"""Leaves and plans. Without both being named, SQLite reads all that is on the board in the index of states."""


def to_review() -> str:
    """Return how many tasks wait for a review, as a word: empty for none, and 99+ at most."""
    number = count(Status.IN_REVIEW)
    return in_words(number) if number else ""


def count(status: Status, *, leaves_only: bool = False) -> int:
    """Return how many tasks stand in a state, one more than COUNTED at most."""
    kinds = (True,) if leaves_only else _ANY_KIND
    tasks = Task.objects.filter(status=status, is_leaf__in=kinds).on_board()
    return tasks.filter(project__in=Project.objects.order_by().values("pk")).order_by()[: COUNTED + 1].count()


def in_words(number: int) -> str:
    """Return a number that was counted as a word: 99+ at most."""
    return f"{COUNTED}+" if number > COUNTED else str(number)
