"""What a call of the coordinator is about: a session's plans, a project, or a task with its neighbours."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import F, Q
from django.db.models.lookups import Exact

from maintenance.choices import ScopeWord
from tasks.models import Dependency, Event, Project, Session, Task, TaskQuerySet


@dataclass(frozen=True, slots=True)
class Scope:
    """The tasks of a project that a call is about; `keys` are those of plans or of tasks, None for all of them."""

    project: Project
    word: ScopeWord
    plans: frozenset[int] | None = None
    keys: frozenset[int] | None = None
    subject: str = ""

    @property
    def is_everything(self) -> bool:
        return self.plans is None and self.keys is None

    def tasks(self) -> TaskQuerySet:
        """All tasks of the scope, archived ones too."""
        if self.is_everything:
            return Task.objects.filter(project=self.project)
        if self.plans is not None:
            return few_of(self.project).filter(Q(pk__in=self.plans) | Q(root_id__in=self.plans))
        return few_of(self.project).filter(pk__in=self.keys or ())

    def whole_plans(self) -> TaskQuerySet:
        """Those of them that are plans."""
        # Of few tasks, these are not looked up in the index of all plans: no index has the depth.
        return self.tasks().plans() if self.is_everything else self.tasks().filter(depth=0)


def few_of(project: Project) -> TaskQuerySet:
    """Return tasks of a project for a caller that picks few of them by an index of something else."""
    # A sum is in no index: by one that begins with the project, SQLite would read all of it.
    return Task.objects.filter(Exact(F("project_id") + 0, project.pk))


def of_project(project: Project) -> Scope:
    return Scope(project, ScopeWord.FULL_PROJECT)


def of_session(session: Session) -> Scope:
    """Return the plans in which a session did something, or holds a task."""
    acted = Task.objects.filter(pk__in=Event.objects.filter(session=session, task__isnull=False).values("task_id"))
    held = Task.objects.filter(lease_session=session)
    rows = (acted | held).order_by().values_list("pk", "root_id")
    plans = frozenset(root or pk for pk, root in rows)
    return Scope(session.project, ScopeWord.CURRENT_SESSION, plans=plans, subject=session.public_id)


def of_task(task: Task) -> Scope:
    """Return a task with its direct dependencies and dependents, inherited ones too."""
    needs = Dependency.objects.filter(task=task).values_list("depends_on_id", flat=True)
    dependents = Dependency.objects.filter(depends_on=task).values_list("task_id", flat=True)
    keys = frozenset([task.pk, *needs, *dependents])
    return Scope(task.project, ScopeWord.SPECIFIC_SUBTASK, keys=keys, subject=task.public_id)
