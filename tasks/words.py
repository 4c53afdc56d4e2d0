"""Where search is plugged in: the app that keeps the index is told whose words changed, and asked for tasks by words.

`tasks` knows nothing above itself, so that app offers its functions here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from tasks.models import Project, Task


class Index(Protocol):
    """Writes the words of tasks anew, in the transaction that it is called in."""

    def __call__(self, tasks: Sequence[Task], *, renamed: bool = False) -> None: ...


Find = Callable[[Project, str], list[int]]
"""Returns the primary keys of the tasks of a project that some words fit best."""
MOST_FOUND = 1_000
"""How many tasks a list is narrowed to by words, at most; the best ones."""
COLUMNS = frozenset({"title", "description", "context", "summary"})
"""What of a task is looked for."""

_offered: list[tuple[Index, Find]] = []


def offer_search(index: Index, find: Find) -> None:
    """Let the app that keeps the index plug in."""
    _offered[:] = [(index, find)]


def index(tasks: Sequence[Task], *, renamed: bool = False) -> None:
    """Say that the words of some tasks are new, and whether their titles are: works are found by those, too.

    Call it inside the transaction of the change.
    """
    for write, _ in _offered:
        write(tasks, renamed=renamed)


def find(project: Project, text: str) -> list[int]:
    """Return the primary keys of the tasks of a project that a person's words fit best."""
    return _offered[0][1](project, text) if _offered else []
