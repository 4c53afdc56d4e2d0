"""Where the app that keeps comments on delivered work is asked for them: `tasks` knows nothing above itself."""

from __future__ import annotations

from collections.abc import Callable

from tasks.models import Task

Take = Callable[[Task, str], tuple[str, int]]
"""Given a task whose row is locked and a reviewer's words, marks the comments that wait as sent, in the transaction
that it is called in. Returns the words with the comments, and how many these are."""

Count = Callable[[Task], int]
"""Given a task, returns how many comments wait for its next verdict."""

_offered: list[tuple[Take, Count]] = []


def offer_remarks(take: Take, count: Count) -> None:
    """Let the app that keeps comments plug in."""
    _offered[:] = [(take, count)]


def take_along(task: Task, words: str) -> tuple[str, int]:
    """Return a reviewer's words with the comments that wait for the task's next verdict, and how many these are."""
    return _offered[0][0](task, words) if _offered else (words, 0)


def waiting(task: Task) -> int:
    """Return how many comments wait for the task's next verdict."""
    return _offered[0][1](task) if _offered else 0
