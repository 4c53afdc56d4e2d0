"""Resources: what a task needs, and who holds it until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, F, OuterRef, Prefetch, QuerySet

from orchestrator_site.kernel.compiled import Compiled
from orchestrator_site.kernel.errors import NotFound
from tasks.choices import CLAIMABLE
from tasks.models import Project, Resource, ResourceHold, ResourceNeed, Task

WAITS_FOR_ONE = Exists(ResourceNeed.objects.filter(task=OuterRef("pk"), resource__held__gte=F("resource__capacity")))

_needed = Compiled(lambda task: Resource.objects.filter(needed_by__task=task).order_by("name"))
_held = Compiled(
    lambda keys: (
        ResourceHold.objects.filter(resource__pk__in=keys)
        .select_related("task", "session")
        .only(
            "resource_id", "holder", "number", "expires_at", "created_at", "task__public_id", "task__title",
            "task__lease_expires_at", "session__public_id",
        )
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Use:
    """A hold as others see it; `task` is empty for one alone, `until` the end of the lease."""

    holder: str
    number: int
    since: datetime
    until: datetime | None
    task: Task | None


@dataclass(frozen=True, slots=True)
class Need:
    """A resource that a task needs: the task's own hold of it, and those of others."""

    resource: Resource
    own: Use | None
    others: list[Use]

    @property
    def is_free(self) -> bool:
        return self.own is not None or self.resource.held < self.resource.capacity


def use_of(hold: ResourceHold) -> Use:
    return Use(hold.holder, hold.number, hold.created_at, hold.until, hold.task)


def uses_of(resource: Resource) -> list[Use]:
    return [use_of(hold) for hold in _held(keys=[resource.pk])]


def needs_of(task: Task) -> list[Need]:
    """Return what a task needs, by name; no statement for one that is known to need nothing."""
    resources = needed_by(task)
    uses: dict[int, list[Use]] = {}
    for hold in _held(keys=[resource.pk for resource in resources]):
        uses.setdefault(hold.resource_id, []).append(use_of(hold))
    return [_need(resource, task, uses.get(resource.pk, [])) for resource in resources]


def needed_by(task: Task) -> list[Resource]:
    return _needed(task=task.pk) if task.has_needs and task.pk else []


def _need(resource: Resource, task: Task, uses: list[Use]) -> Need:
    own = next((use for use in uses if use.task is not None and use.task.pk == task.pk), None)
    return Need(resource, own, [use for use in uses if use is not own])


def resources_of(project: Project) -> QuerySet[Resource]:
    """Return the resources of a project by name, each with its holds."""
    holds = ResourceHold.objects.select_related("task", "session")
    return Resource.objects.filter(project=project).order_by("name").prefetch_related(Prefetch("holds", holds))


def resource_named(project: Project, name: str) -> Resource:
    """Return a resource. Raises NotFound, naming those that there are."""
    found = resources_of(project).filter(name=name.replace("\x00", "")).first()
    if found is None:
        names = list(Resource.objects.filter(project=project).values_list("name", flat=True)[:20])
        raise NotFound(f"There is no resource {name[:64]!r} in project {project.slug}.", details={"allowed": names})
    return found


def waited_for(project: Project) -> list[str]:
    """Return the names of full resources that a claimable task of a project waits for."""
    tasks = Task.objects.on_board().filter(project=project, status__in=CLAIMABLE, is_ready=False)
    full = Resource.objects.filter(project=project, held__gte=F("capacity"), needed_by__task__in=tasks)
    return list(full.distinct().order_by("name").values_list("name", flat=True)[:5])
