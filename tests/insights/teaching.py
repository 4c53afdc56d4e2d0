"""Plans that teach, and everything that was learned from them."""

from __future__ import annotations

from typing import Any

from tasks.identity.actor import Actor
from tasks.insights.models import Lesson, Reader, Score, SpecialistCount, WordCount
from tasks.insights.services.learn import learn
from tasks.models import Project, Task
from tasks.roles import catalogue
from tasks.services.edit import Changes, edit
from tasks.services.plan import Subtask, plan

ADA = Actor(kind="person", name="ada")
Given = tuple[str, str]


def planned(project: Project, *tasks: Given, parent: Task | None = None) -> list[Task]:
    """Plan subtasks, each given as its title and its specialist."""
    subtasks = [Subtask(title=title, description="So be it", specialist=specialist) for title, specialist in tasks]
    given: dict[str, Any] = {"catalogue": catalogue(project), "description": "Do all of this", "parent": parent}
    return plan(project=project, actor=ADA, subtasks=subtasks, **given).tasks


def edited(task: Task, **columns: Any) -> Task:
    return edit(task=task, actor=ADA, changes=Changes(columns), catalogue=catalogue(task.project))


def learned(project: Project, limit: int = 500) -> None:
    """Learn all that there is."""
    while learn(project=project, limit=limit).has_more:
        pass


def counts_of(project: Project) -> dict[str, Any]:
    """Return every count, by what it counts."""
    return {
        "specialists": {
            row.specialist: (row.tasks, row.words) for row in SpecialistCount.objects.filter(project=project)
        },
        "words": {(row.word, row.specialist): row.count for row in WordCount.objects.filter(project=project)},
        "lessons": {row.pk: (row.specialist, row.words) for row in Lesson.objects.filter(project=project)},
    }


def scores_of(project: Project) -> dict[tuple[str, int], tuple[float, ...]]:
    counted = "n", "right", "second", "unsure", "unsure_right", "confidence"
    rows = Score.objects.filter(project=project).values_list("method", "tenth", *counted)
    return {(method, tenth): tuple(numbers) for method, tenth, *numbers in rows}


def forgotten(project: Project) -> None:
    """Forget all, so that it is learned again from the first event."""
    for model in (Reader, Score, Lesson, WordCount, SpecialistCount):
        model._default_manager.filter(project=project).delete()


def history(kind: str, specialist: str, number: int) -> list[Given]:
    return [(f"{kind} part {index}", specialist) for index in range(number)]
