"""Named things that only so many may use at a time: a staging site, a port, a device."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from django.db import models
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from tasks.models.projects import Project, Session
from tasks.models.tasks import Dependency, Task, TaskQuerySet


class Resource(models.Model):
    """`held` counts its holds; the constraint on it decides every race. `last_number` is the newest fencing number."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="resources", db_index=False)
    name = models.SlugField(max_length=64, db_index=False)
    title = models.CharField(max_length=200, blank=True)
    capacity = models.PositiveIntegerField(default=1)
    held = models.PositiveIntegerField(default=0, editable=False)
    last_number = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="resource_once_per_project"),
            models.CheckConstraint(condition=Q(capacity__gte=1), name="resource_can_be_held"),
            models.CheckConstraint(condition=Q(held__lte=F("capacity")), name="resource_is_not_held_too_often"),
        ]

    def __str__(self) -> str:
        return self.name


class ResourceNeed(models.Model):
    """A task that cannot be worked on without a resource."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="needs", db_index=False)
    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="needed_by")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["task", "resource"], name="resource_need_once")]

    def __str__(self) -> str:
        return f"{self.task_id} needs {self.resource_id}"


class ResourceHold(models.Model):
    """One use of a resource: with a task, whose lease is then its lease too, or by a session alone."""

    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="holds")
    task = models.ForeignKey(Task, null=True, blank=True, on_delete=models.CASCADE, related_name="holds")
    session = models.ForeignKey(Session, null=True, blank=True, on_delete=models.CASCADE, related_name="holds")
    holder = models.CharField(max_length=200)
    number = models.PositiveIntegerField(help_text="Fencing number: grows with every hold of the resource.")
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty with a task: its lease says it.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["resource", "number"], name="resource_hold_number_once"),
            models.UniqueConstraint(
                fields=["resource", "task"], condition=Q(task__isnull=False), name="resource_hold_once_per_task"
            ),
            models.CheckConstraint(
                condition=Q(task__isnull=False, expires_at__isnull=True)
                | Q(task__isnull=True, expires_at__isnull=False),
                name="resource_hold_ends",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.resource_id}: {self.holder}"

    @property
    def until(self) -> datetime | None:
        return self.expires_at if self.task is None else self.task.lease_expires_at


def knowing_needs(tasks: QuerySet[Task]) -> TaskQuerySet:
    """Let tasks know whether they need resources or wait: then one that does neither costs no further statement."""
    rows: Any = tasks
    needs = ResourceNeed.objects.filter(task=OuterRef("pk"))
    waits = Dependency.objects.open().filter(task=OuterRef("pk"))
    return cast("TaskQuerySet", rows.annotate(has_needs=Exists(needs), waits=Exists(waits)))
