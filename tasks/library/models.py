"""Templates with their versions, the plans that came from them, recurring plans, and contexts.

Only `tasks/library/services/` changes their rows.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from tasks.library.choices import ContextState
from tasks.models import Note, Project, Task


class Template(models.Model):
    """One version of a template: of one project, or of the whole site where `project` is empty.

    The newest version by `number` is in effect; a deleted one hides all before it. Versions are never changed.
    """

    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.CASCADE, related_name="templates")
    name = models.SlugField(max_length=64)
    number = models.PositiveIntegerField()
    version = models.CharField(max_length=40, blank=True, help_text="As the template itself says.")
    title = models.CharField(max_length=300)
    text = models.TextField(help_text="YAML, as its author wrote it.")
    sha256 = models.CharField(max_length=64)
    drafted_from = models.ForeignKey(Task, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    is_deleted = models.BooleanField(default=False)
    saved_by = models.CharField(max_length=200)
    saved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "name", "number"], name="template_number_once_per_project"),
            models.UniqueConstraint(
                fields=["name", "number"], condition=Q(project__isnull=True), name="template_number_once_per_site"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version or self.number}"


class Recurring(models.Model):
    """A template on a schedule: a cron line in the project's time zone, or an interval in minutes."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="recurring", db_index=False)
    name = models.CharField(max_length=200)
    template = models.CharField(max_length=64)
    parameters = models.JSONField(default=dict, blank=True)
    cron = models.CharField(max_length=100, blank=True)
    every_minutes = models.PositiveIntegerField(null=True, blank=True)
    is_on = models.BooleanField(default=False)
    next_at = models.DateTimeField(null=True, blank=True)
    last_plan = models.ForeignKey(Task, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    outcome = models.CharField(max_length=500, blank=True, help_text="What came of the last time, such as skipped.")
    changed_by = models.CharField(max_length=200)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "recurring"
        indexes = [models.Index(fields=["next_at"], condition=Q(is_on=True), name="recurring_due")]
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="recurring_once_per_project"),
            models.CheckConstraint(
                condition=Q(cron="", every_minutes__isnull=False, every_minutes__gte=1)
                | (~Q(cron="") & Q(every_minutes__isnull=True)),
                name="recurring_has_one_schedule",
            ),
            models.CheckConstraint(
                condition=Q(is_on=False) | Q(next_at__isnull=False), name="recurring_on_has_a_next_time"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PlanOrigin(models.Model):
    """Which template a plan came from, as it was then, with its parameters."""

    plan = models.OneToOneField(Task, on_delete=models.CASCADE, related_name="origin")
    template = models.CharField(max_length=64)
    version = models.CharField(max_length=40, blank=True)
    source = models.CharField(max_length=300, help_text="default, site, project, or the path of a file.")
    sha256 = models.CharField(max_length=64)
    parameters = models.JSONField(default=dict, blank=True)
    keys = models.JSONField(default=dict, blank=True, help_text="The public id of the task that each step became.")
    recurring = models.ForeignKey(Recurring, null=True, blank=True, on_delete=models.SET_NULL, related_name="plans")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["template", "sha256"], name="plan_origin_by_template")]

    def __str__(self) -> str:
        return f"{self.template} {self.version}"


class Context(models.Model):
    """Markdown that a specialist's brief holds where it fits: of one project, or of the whole site without one."""

    public_id = models.CharField(max_length=40, unique=True)
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.CASCADE, related_name="contexts")
    specialist = models.CharField(max_length=64, blank=True, help_text="Empty: for every specialist.")
    name = models.SlugField(max_length=64)
    text = models.TextField()
    paths = models.JSONField(default=list, blank=True, help_text="Patterns of files that it is about.")
    words = models.JSONField(default=list, blank=True, help_text="Words of tasks that it is about.")
    sources = models.JSONField(default=list, blank=True, help_text="Public ids of the tasks that taught it.")
    note = models.OneToOneField(Note, null=True, blank=True, on_delete=models.SET_NULL, related_name="context")
    state = models.CharField(max_length=16, choices=ContextState.choices, default=ContextState.ACTIVE)
    is_disputed = models.BooleanField(default=False)
    used = models.PositiveIntegerField(default=0, help_text="Deliveries that named it.")
    unused = models.PositiveIntegerField(default=0, help_text="Deliveries whose brief had it and that did not name it.")
    expires_at = models.DateTimeField(null=True, blank=True)
    saved_by = models.CharField(max_length=200)
    saved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["specialist", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "specialist", "name"],
                condition=Q(state=ContextState.ACTIVE),
                name="context_once_per_project",
            ),
            models.UniqueConstraint(
                fields=["specialist", "name"],
                condition=Q(state=ContextState.ACTIVE, project__isnull=True),
                name="context_once_per_site",
            ),
            models.CheckConstraint(condition=Q(state__in=ContextState.values), name="context_state_is_known"),
            models.CheckConstraint(condition=~Q(text=""), name="context_says_something"),
        ]

    def __str__(self) -> str:
        return f"{self.specialist or 'all'}/{self.name}"

    @property
    def briefs(self) -> int:
        """How many delivered attempts had it in their brief."""
        return self.used + self.unused


class ContextUse(models.Model):
    """A context in the brief of one attempt: by its id, or by its path where it is a file."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="context_uses", db_index=False)
    lease_number = models.PositiveIntegerField()
    context = models.CharField(max_length=300)
    is_used = models.BooleanField(null=True, default=None, help_text="Whether the delivery named it.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["context", "is_used"], name="context_use_counts")]
        constraints = [models.UniqueConstraint(fields=["task", "lease_number", "context"], name="context_use_once")]

    def __str__(self) -> str:
        return f"{self.context} for {self.task_id}"
