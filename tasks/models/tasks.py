"""Tasks and their dependencies."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from tasks.choices import CLAIMABLE, FINISHED, Complexity, Priority, Status
from tasks.models.projects import Project, Session
from tasks.project_settings import setting

NEVER = datetime(9000, 1, 1, tzinfo=UTC)
"""The due date of a task without one, so that one index orders all."""


class TaskQuerySet(models.QuerySet["Task"]):
    def on_board(self) -> TaskQuerySet:
        return self.filter(archived_at__isnull=True)

    def plans(self) -> TaskQuerySet:
        return self.filter(parent__isnull=True)

    def leaves(self) -> TaskQuerySet:
        """Tasks without subtasks."""
        # Written with IN, because SQLite uses no index but a partial one for a bare boolean.
        return self.filter(is_leaf__in=[True])

    def beside(self, top: Task) -> TaskQuerySet:
        """What is on the board, or for an archived task what was archived together with it."""
        return self.filter(archived_at=top.archived_at)

    def within(self, plan: Task) -> TaskQuerySet:
        return self.filter(root_id=plan.root_id or plan.pk)

    def ready(self) -> TaskQuerySet:
        """Leaves that can be claimed now, best first."""
        return self.filter(is_ready=True).best_first()

    def best_first(self) -> TaskQuerySet:
        """In the order that docs/routing.md explains; by status, what was sent back comes first."""
        return self.order_by("-priority", "status", "due_at", "-chain", "-unblocks", "root_id", "position")

    def locked_upwards(self) -> TaskQuerySet:
        """Locked in the order in which every change locks tasks: a claim locks a leaf, then the groups above it."""
        return self.select_for_update(of=("self",)).order_by("-is_leaf", "-depth", "pk")

    def lease_over(self, now: datetime) -> TaskQuerySet:
        """Active leaves whose lease has expired; ending a session ends its leases too."""
        return self.leaves().filter(status=Status.ACTIVE, lease_expires_at__lte=now)


class Task(models.Model):
    """The root of a plan, a group of subtasks, or a leaf that one worker does."""

    public_id = models.CharField(max_length=100, unique=True)
    # Indexes below start with each of these three, so Django's own would only cost writes.
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="tasks", db_index=False)
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.CASCADE, related_name="children", db_index=False
    )
    root = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.CASCADE, related_name="descendants", db_index=False
    )
    depth = models.PositiveIntegerField(default=0)
    position = models.PositiveIntegerField(default=0, help_text="Place in its plan, depth first.")
    is_leaf = models.BooleanField(default=True)

    title = models.CharField(max_length=300)
    description = models.TextField(blank=True)
    specialist = models.CharField(max_length=64, blank=True)
    complexity = models.CharField(max_length=16, choices=Complexity.choices, default=Complexity.MODERATE)
    effort = models.CharField(max_length=200, blank=True)
    effort_minutes = models.FloatField(null=True, blank=True, help_text="What the effort says in numbers.")
    priority = models.SmallIntegerField(choices=Priority.choices, default=Priority.NORMAL)
    due_at = models.DateTimeField(default=NEVER, help_text="Without a due date: in the year 9000.")
    not_before = models.DateTimeField(null=True, blank=True, help_text="Deferred until then.")
    for_client = models.CharField(max_length=200, blank=True, help_text="The client that is to do it, in lower case.")
    for_model = models.CharField(max_length=100, blank=True, help_text="The model that is to do it, in lower case.")
    context = models.TextField(blank=True)
    requires_review = models.BooleanField(
        null=True, default=None, help_text="Whether its delivery is reviewed; unknown: as the project's setting says."
    )

    paths = models.JSONField(default=list, blank=True, help_text="The files it plans to change.")
    gates = models.JSONField(
        default=list, blank=True, help_text="What has to be shown before it is completed, as tasks/gates/ has it."
    )

    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    summary = models.TextField(blank=True)
    is_ready = models.BooleanField(
        default=False, editable=False, help_text="It can be claimed now; tasks/services/readiness.py keeps it."
    )
    chain = models.PositiveIntegerField(
        default=1, editable=False, help_text="Tasks on the longest way of dependents, with itself."
    )
    unblocks = models.PositiveIntegerField(default=0, editable=False, help_text="Unfinished leaves that wait for it.")
    reason = models.TextField(blank=True, help_text="Why the task is blocked, failed or cancelled.")
    review_comment = models.TextField(blank=True, help_text="What the reviewer asked for; shown first in the brief.")
    answer = models.TextField(blank=True, help_text="Shown first in the brief: questions with their answers.")

    lease_number = models.PositiveIntegerField(default=0, help_text="Fencing token: grows with every claim.")
    lease_session = models.ForeignKey(
        Session, null=True, blank=True, on_delete=models.SET_NULL, related_name="leased_tasks"
    )
    lease_holder = models.CharField(max_length=200, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)
    active_at = models.DateTimeField(
        default=timezone.now, editable=False, help_text="When its status last changed, or that of a task in its plan."
    )
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    has_needs = True
    """Whether it may need resources: a query with `knowing_needs` says so."""
    waits = True
    """Whether a dependency may be open; the same query says so."""
    frees = True
    """Whether tasks may have become ready with it: whoever completed it knows."""

    objects = TaskQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["project", "-priority", "status", "due_at", "-chain", "-unblocks", "root", "position"],
                condition=Q(is_ready=True),
                name="task_ready",
            ),
            models.Index(
                fields=["root", "-priority", "status", "due_at", "-chain", "-unblocks", "position"],
                condition=Q(is_ready=True),
                name="task_plan_ready",
            ),
            models.Index(fields=["project", "not_before"], condition=Q(not_before__isnull=False), name="task_deferred"),
            models.Index(fields=["project", "archived_at", "is_leaf", "status", "id"], name="task_counts"),
            models.Index(
                fields=["project", "specialist", "archived_at", "is_leaf", "status", "id"], name="task_by_specialist"
            ),
            models.Index(fields=["root", "archived_at", "is_leaf", "status"], name="task_plan_counts"),
            models.Index(fields=["root", "position"], name="task_plan_order"),
            models.Index(fields=["project", "status", "-updated_at"], name="task_by_status"),
            models.Index(fields=["project", "-id"], condition=Q(parent__isnull=True), name="task_plans"),
            models.Index(
                fields=["project", "status", "-active_at"],
                condition=Q(parent__isnull=True, archived_at__isnull=True),
                name="task_open_plans",
            ),
            models.Index(fields=["parent", "archived_at", "status"], name="task_children"),
            models.Index(fields=["lease_session"], name="task_held", condition=Q(lease_session__isnull=False)),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(title=""), name="task_has_a_title"),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="task_status_is_known"),
            models.CheckConstraint(condition=Q(complexity__in=Complexity.values), name="task_complexity_is_known"),
            models.CheckConstraint(condition=Q(priority__in=Priority.values), name="task_priority_is_known"),
            models.CheckConstraint(condition=~Q(parent=F("id")) & ~Q(root=F("id")), name="task_is_not_its_own_parent"),
            models.CheckConstraint(
                condition=Q(parent__isnull=True, root__isnull=True, depth=0)
                | Q(parent__isnull=False, root__isnull=False, depth__gt=0),
                name="task_root_parent_and_depth_agree",
            ),
            models.CheckConstraint(
                condition=Q(status=Status.ACTIVE, is_leaf=True, lease_expires_at__isnull=False, lease_number__gt=0)
                | (
                    (~Q(status=Status.ACTIVE) | Q(is_leaf=False))
                    & Q(lease_expires_at__isnull=True, lease_session__isnull=True, lease_holder="")
                ),
                name="task_lease_belongs_to_an_active_leaf",
            ),
            models.CheckConstraint(
                condition=Q(status=Status.COMPLETED, completed_at__isnull=False)
                | (~Q(status=Status.COMPLETED) & Q(completed_at__isnull=True)),
                name="task_completed_at_goes_with_completed",
            ),
            models.CheckConstraint(
                condition=Q(is_ready=False) | Q(is_leaf=True, archived_at__isnull=True, status__in=CLAIMABLE),
                name="task_ready_is_a_claimable_leaf",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=[Status.BLOCKED, Status.FAILED]) | ~Q(reason=""),
                name="task_stopped_for_a_reason",
            ),
            models.CheckConstraint(
                condition=~Q(status=Status.NEEDS_REVISION) | ~Q(review_comment=""),
                name="task_revision_requires_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id}: {self.title}"

    @property
    def is_plan(self) -> bool:
        return self.parent_id is None

    @property
    def plan_id(self) -> int:
        return self.root_id or self.pk

    @property
    def is_reviewed(self) -> bool:
        """Whether its delivery waits for approval: as was decided for it, or as its project decides by now.

        A whole plan is reviewed only where that was asked for: each of its parts was already.
        """
        if self.requires_review is not None or self.is_plan:
            return bool(self.requires_review)
        return bool(setting(self.project, "review"))

    @property
    def due(self) -> datetime | None:
        return None if self.due_at == NEVER else self.due_at

    @property
    def is_overdue(self) -> bool:
        return self.status not in FINISHED and self.due_at < timezone.now()

    @property
    def priority_word(self) -> str:
        return Priority(self.priority).label

    def lease_is_over(self, now: datetime) -> bool:
        return self.lease_expires_at is None or self.lease_expires_at <= now


class DependencyQuerySet(models.QuerySet["Dependency"]):
    def open(self) -> DependencyQuerySet:
        return self.exclude(depends_on__status=Status.COMPLETED)

    def of_unfinished_leaves(self) -> DependencyQuerySet:
        """Those of leaves on the board that are neither completed nor cancelled."""
        leaves = self.filter(task__is_leaf__in=[True], task__archived_at__isnull=True)
        return leaves.exclude(task__status__in=FINISHED)


class Dependency(models.Model):
    """`task` cannot start before `depends_on` is completed.

    A subtask inherits the dependencies of its parents as rows of its own that name the parent in `inherited_from`, so
    "ready" is a question about one task's rows, however deep the tree.
    """

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="dependencies")
    depends_on = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="dependents")
    inherited_from = models.ForeignKey(
        Task, null=True, blank=True, on_delete=models.CASCADE, related_name="passed_on_dependencies"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = DependencyQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "dependencies"
        constraints = [
            models.CheckConstraint(condition=~Q(task=F("depends_on")), name="dependency_is_not_on_itself"),
            models.UniqueConstraint(
                fields=["task", "depends_on"], condition=Q(inherited_from__isnull=True), name="dependency_once"
            ),
            models.UniqueConstraint(
                fields=["task", "depends_on", "inherited_from"],
                condition=Q(inherited_from__isnull=False),
                name="dependency_inherited_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.task_id} needs {self.depends_on_id}"
