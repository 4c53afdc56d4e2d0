"""Find rows by the ids that callers send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from orchestrator_site.kernel.compiled import Compiled
from orchestrator_site.kernel.errors import Conflict, Hint, NotFound
from tasks.models import Project, Task, knowing_needs

_exact = Compiled(lambda project, public_id: knowing_needs(Task.objects.filter(project=project, public_id=public_id)))
_public_id = Compiled(lambda pk: Task.objects.filter(pk=pk).values_list("public_id", flat=True))
FOUND = 20
_SHORTEST_ID = 4
_LONGEST_ID = 100


@dataclass(frozen=True, slots=True)
class TaskName:
    """The id a caller sends, for a service that reads and locks the row at once."""

    project: Project
    public_id: str

    @property
    def project_id(self) -> int:
        return self.project.pk


def task_by_id(project: Project, public_id: str) -> Task:
    """Return a task of this project by its id, or by a unique part of it.

    Raises NotFound, or Conflict if a part matches several.
    """
    found = _exact.first(project=project, public_id=public_id) or _short(project, public_id)
    if found is None:
        raise NotFound(f"There is no task {public_id[:_LONGEST_ID]!r} in project {project.slug}.", hint=Hint.LIST_TASKS)
    found.project = project
    return found


def _short(project: Project, part: str) -> Task | None:
    if not _SHORTEST_ID <= len(part) <= _LONGEST_ID:
        return None
    fits = Q(public_id__startswith=part) | Q(public_id__contains=f"_{part}")
    rows = list(Task.objects.filter(fits, project=project)[:6])
    if len(rows) > 1:
        raise Conflict(
            f"{part!r} fits several tasks.",
            next="Send the whole id.",
            details={"candidates": [row.public_id for row in rows]},
        )
    return rows[0] if rows else None


def id_of(pk: int | None) -> str | None:
    return _public_id.get(pk=pk) if pk else None


def project_of_task(public_id: str) -> Project | None:
    return Project.objects.filter(tasks__public_id=public_id.replace("\x00", "")).first()


def ids_beginning(project: Project, start: str, *, limit: int = 101) -> list[str]:
    rows = Task.objects.filter(project=project, public_id__startswith=start.replace("\x00", ""))
    return list(rows.on_board().order_by("-id").values_list("public_id", flat=True)[:limit])


def tasks_by_ids(project: Project, public_ids: Sequence[str]) -> dict[str, Task]:
    found: dict[str, Task] = {}
    for start in range(0, len(public_ids), 500):
        rows = Task.objects.filter(project=project, public_id__in=public_ids[start : start + 500])
        found.update({row.public_id: row for row in rows})
    return found


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
    useless = [key for key in (task.pk, task.parent_id, task.root_id) if key is not None]
    rows = Task.objects.on_board().filter(pk__in=keys).exclude(pk__in=useless).exclude(parent_id=task.pk)
    by_key = {row.pk: row for row in rows.exclude(dependents__task=task, dependents__inherited_from=None)}
    return [by_key[key] for key in dict.fromkeys(keys) if key in by_key][:FOUND]


def chosen(task: Task, public_ids: Sequence[str]) -> list[Task]:
    found = tasks_by_ids(task.project, list(dict.fromkeys(public_ids)))
    return [found[each] for each in dict.fromkeys(public_ids) if each in found]
