"""Pages of tasks for status answers: what needs attention first, with stable cursors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from orchestrator_site.kernel.compiled import Compiled
from orchestrator_site.kernel.errors import Invalid
from tasks.choices import Status
from tasks.models import Project, Task, TaskQuerySet

ORDER = (
    Status.ACTIVE,
    Status.NEEDS_REVISION,
    Status.IN_REVIEW,
    Status.BLOCKED,
    Status.FAILED,
    Status.PENDING,
    Status.COMPLETED,
    Status.CANCELLED,
)


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and a function that returns the cursor after one of them."""

    tasks: list[Task]
    cursor_after: Callable[[Task], str]


BRIEF_COLUMNS = ("public_id", "title", "status", "reason", "specialist")


@cache
def _leaves_in(limit: int, *, of_specialist: bool, full: bool) -> Compiled[Task]:
    leaves = Task.objects.on_board().leaves().order_by("pk")
    leaves = leaves if full else leaves.only(*BRIEF_COLUMNS)
    if of_specialist:
        return Compiled(
            lambda project, specialist, status, after: leaves.filter(
                project=project, specialist=specialist, status=status, pk__gt=after
            )[:limit]
        )
    return Compiled(lambda project, status, after: leaves.filter(project=project, status=status, pk__gt=after)[:limit])


def by_attention(
    project: Project,
    *,
    specialist: str | None,
    statuses: Sequence[str],
    after: str | None,
    limit: int,
    full: bool = False,
) -> Page:
    """Return leaves of some statuses, in the order of attention, oldest first within each.

    One indexed query per status keeps it fast on a board of any size; without `full` it reads what a brief row shows.

    Raises Invalid for a bad cursor.
    """
    start, last_id = _place(after)
    narrowed = {} if specialist is None else {"specialist": specialist}
    found: list[Task] = []
    for status in ORDER[start:]:
        if status in statuses and len(found) < limit:
            rows = _leaves_in(limit - len(found), of_specialist=specialist is not None, full=full)
            found += rows(project=project, status=status, after=last_id, **narrowed)
        last_id = 0
    return Page(found, lambda task: f"{task.status}:{task.pk}")


def in_tree_order(tasks: TaskQuerySet, *, after: str | None, limit: int) -> Page:
    """Return the tasks of a tree in its own order. Raises Invalid for a bad cursor."""
    if after is not None:
        if not after.isdecimal() or len(after) > 9:
            raise _no_cursor()
        tasks = tasks.filter(position__gt=int(after))
    return Page(list(tasks.order_by("position", "pk")[:limit]), lambda task: str(task.position))


def _place(cursor: str | None) -> tuple[int, int]:
    if cursor is None:
        return 0, 0
    status, _, pk = cursor.partition(":")
    known = {each.value: number for number, each in enumerate(ORDER)}
    if status not in known or not pk.isdecimal() or len(pk) > 18:
        raise _no_cursor()
    return known[status], int(pk)


def _no_cursor() -> Invalid:
    return Invalid(
        "cursor: this is no cursor of this list.", next="Send a cursor that the same call answered, or none."
    )
