"""Where the app that keeps comments on delivered work is asked for them: `tasks` knows nothing above itself."""

from __future__ import annotations

from collections.abc import Callable

from tasks.models import Task

Take = Callable[[Task, str], tuple[str, int]]
"""Given a task whose row is locked and a reviewer's words, marks the comments that wait as sent, in the transaction
that it is called in. Returns the words with the comments, and how many these are."""

_offered: list[Take] = []


def offer_remarks(take: Take) -> None:
    """Let the app that keeps comments plug in."""
    _offered[:] = [take]


def take_along(task: Task, words: str) -> tuple[str, int]:
    """Return a reviewer's words with the comments that wait for the task's next verdict, and how many these are."""
    return _offered[0](task, words) if _offered else (words, 0)
