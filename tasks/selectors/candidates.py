"""Tasks that can be added as dependencies of a task."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.models import Task
from tasks.selectors.find import ids_beginning, tasks_by_ids

FOUND = 20
_SHORTEST_ID = 4


def candidates(task: Task, text: str, matches: Sequence[int]) -> list[Task]:
    """Return tasks of the same project for a search text or the start of an id, the best match first.

    `matches` are the primary keys that a search for the text found, the best first. Existing dependencies and the tasks
    above and below are left out.
    """
    if not text:
        return []
    keys = list(matches)
    if len(text) >= _SHORTEST_ID:
        begun = tasks_by_ids(task.project, ids_beginning(task.project, text, limit=FOUND))
        keys = [found.pk for found in begun.values()] + keys
    rows = Task.objects.on_board().filter(pk__in=keys).exclude(pk__in=_useless(task)).exclude(parent_id=task.pk)
    by_key = {row.pk: row for row in rows.exclude(dependents__task=task, dependents__inherited_from=None)}
    return [by_key[key] for key in dict.fromkeys(keys) if key in by_key][:FOUND]


def chosen(task: Task, public_ids: Sequence[str]) -> list[Task]:
    found = tasks_by_ids(task.project, list(dict.fromkeys(public_ids)))
    return [found[each] for each in dict.fromkeys(public_ids) if each in found]


def _useless(task: Task) -> list[int]:
    return [key for key in (task.pk, task.parent_id, task.root_id) if key is not None]
