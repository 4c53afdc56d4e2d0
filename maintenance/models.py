"""Upgrades, runs of jobs, operations of maintenance, what they found, handovers, and what is left of purged plans."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from maintenance.choices import Action, Cause, Level, Outcome, ScopeWord, Severity, State, UpgradeOutcome
from tasks.models import Project, Session, Task


class JobRunQuerySet(models.QuerySet["JobRun"]):
    def of(self, job: str) -> JobRunQuerySet:
        return self.filter(job=job).order_by("-id")

    def overdue(self, now: datetime) -> JobRunQuerySet:
        """Runs past their deadline: the queue ends a job that takes too long, so the process of these has died.

        Those that began in the future are from before the clock was set back; a job that still runs may run twice.
        """
        began_later = Q(started_at__gt=now + timedelta(seconds=5))
        return self.filter(Q(deadline_at__lte=now) | began_later, outcome=Outcome.RUNNING)


class JobRun(models.Model):
    """One run of a job. The row is written before the job starts, so that a job which kills its process leaves one."""

    job = models.CharField(max_length=64)
    attempt = models.PositiveSmallIntegerField(default=1, help_text="1, and one more for each death before.")
    outcome = models.CharField(max_length=16, choices=Outcome.choices, default=Outcome.RUNNING)
    message = models.TextField(blank=True, help_text="What was done, or what went wrong.")
    started_at = models.DateTimeField(default=timezone.now)
    deadline_at = models.DateTimeField(help_text="From then on the run counts as ended, whatever became of it.")
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = JobRunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["job", "-id"], name="job_run_latest")]
        constraints = [
            models.CheckConstraint(condition=Q(outcome__in=Outcome.values), name="job_run_outcome_is_known"),
            models.CheckConstraint(condition=Q(attempt__gte=1), name="job_run_counts_from_one"),
            models.CheckConstraint(condition=Q(deadline_at__gt=F("started_at")), name="job_run_has_time"),
            models.CheckConstraint(
                condition=Q(outcome=Outcome.RUNNING, finished_at__isnull=True)
                | (~Q(outcome=Outcome.RUNNING) & Q(finished_at__isnull=False)),
                name="jobrun_finished_at_iff_final",
            ),
            models.UniqueConstraint(fields=["job"], condition=Q(outcome=Outcome.RUNNING), name="job_run_one_at_a_time"),
        ]

    def __str__(self) -> str:
        return f"{self.job}, {self.started_at:%Y-%m-%d %H:%M:%S}"


class Upgrade(models.Model):
    """One upgrade of the schema. What failed is kept beside the database until one succeeds, and gets its row then."""

    outcome = models.CharField(max_length=16, choices=UpgradeOutcome.choices)
    version = models.CharField(max_length=40, help_text="The version of the product that did it.")
    actor_name = models.CharField(max_length=200, help_text="The account and the command.")
    migrations: models.JSONField[list[dict[str, str]], list[dict[str, str]]] = models.JSONField(
        default=list, blank=True, help_text="Each as {name, sha256}, the hash of its file."
    )
    rows = models.PositiveBigIntegerField(default=0, help_text="How many rows the database had before.")
    backup = models.CharField(max_length=200, blank=True, help_text="The file in ORCHESTRATOR_HOME/backups.")
    problem = models.TextField(blank=True, help_text="Why it failed.")
    started_at = models.DateTimeField()
    seconds = models.FloatField(default=0)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(outcome__in=UpgradeOutcome.values), name="upgrade_outcome_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.outcome}, {self.started_at:%Y-%m-%d %H:%M:%S}"


class Operation(models.Model):
    """One run of the coordinator on a project: who asked for what, how far it is, what it did, and its undo."""

    public_id = models.CharField(max_length=40, unique=True)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="operations")
    action = models.CharField(max_length=32, choices=Action.choices)
    scope = models.CharField(max_length=32, choices=ScopeWord.choices)
    level = models.CharField(max_length=16, choices=Level.choices)
    request: models.JSONField[dict[str, object], dict[str, object]] = models.JSONField(
        default=dict, blank=True, help_text="The other arguments: target_task_id, task_ids, apply, plan_token …"
    )
    session = models.ForeignKey(Session, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    actor_kind = models.CharField(max_length=16)
    actor_name = models.CharField(max_length=200)
    state = models.CharField(max_length=16, choices=State.choices, default=State.QUEUED)
    attempt = models.PositiveSmallIntegerField(default=0, help_text="How many processes have begun it.")
    done = models.PositiveIntegerField(default=0, help_text="Steps done, of `total`.")
    total = models.PositiveIntegerField(default=0)
    answer: models.JSONField[dict[str, object], dict[str, object]] = models.JSONField(
        default=dict, blank=True, help_text="What the call answers: counts, the most important findings, what is next."
    )
    report: models.JSONField[dict[str, object], dict[str, object]] = models.JSONField(
        default=dict, blank=True, help_text="Everything that was found and proposed."
    )
    changes: models.JSONField[list[dict[str, object]], list[dict[str, object]]] = models.JSONField(
        default=list, blank=True, help_text="What it did, each as {verb, task_id}: undoing is the inverse of each."
    )
    problem = models.TextField(blank=True, help_text="Why it failed.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["project", "-id"], name="operation_latest")]
        constraints = [
            models.CheckConstraint(condition=Q(action__in=Action.values), name="operation_action_is_known"),
            models.CheckConstraint(condition=Q(scope__in=ScopeWord.values), name="operation_scope_is_known"),
            models.CheckConstraint(condition=Q(level__in=Level.values), name="operation_level_is_known"),
            models.CheckConstraint(condition=Q(state__in=State.values), name="operation_state_is_known"),
            models.CheckConstraint(
                condition=Q(state__in=[State.QUEUED, State.RUNNING], finished_at__isnull=True)
                | Q(state__in=[State.SUCCEEDED, State.FAILED], finished_at__isnull=False),
                name="operation_finished_at_iff_final",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class FindingQuerySet(models.QuerySet["Finding"]):
    def open(self) -> FindingQuerySet:
        return self.filter(resolved_at__isnull=True)

    def unsnoozed(self, now: datetime) -> FindingQuerySet:
        return self.open().exclude(snoozed_until__gt=now)


class Finding(models.Model):
    """What a scan found, once per cause and subject until it is resolved."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="findings")
    task = models.ForeignKey(Task, null=True, blank=True, on_delete=models.CASCADE, related_name="findings")
    cause = models.CharField(max_length=40, choices=Cause.choices)
    subject = models.CharField(max_length=210, help_text="What it is about: public ids, with a space between two.")
    severity = models.PositiveSmallIntegerField(choices=Severity.choices)
    evidence: models.JSONField[dict[str, object], dict[str, object]] = models.JSONField(
        default=dict, blank=True, help_text="Facts it rests on: event ids, times, limits with their n."
    )
    proposal = models.CharField(max_length=32, blank=True, help_text="The verb that would help; empty for advice only.")
    advice = models.TextField(blank=True, help_text="What to do, for a person.")
    since = models.DateTimeField(help_text="How long it has been so.")
    found_at = models.DateTimeField(default=timezone.now, editable=False)
    snoozed_until = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)

    objects = FindingQuerySet.as_manager()

    class Meta:
        ordering = ["-severity", "since", "id"]
        indexes = [
            models.Index(fields=["project", "-severity"], condition=Q(resolved_at__isnull=True), name="finding_open"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(cause__in=Cause.values), name="finding_cause_is_known"),
            models.CheckConstraint(condition=Q(severity__in=Severity.values), name="finding_severity_is_known"),
            models.UniqueConstraint(
                fields=["project", "cause", "subject"],
                condition=Q(resolved_at__isnull=True),
                name="finding_once_until_resolved",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cause}: {self.subject}"


class Handover(models.Model):
    """A version of a handover: what the next context needs, as it was at one event."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="handovers")
    number = models.PositiveIntegerField(help_text="1, 2, 3 … within its project.")
    scope = models.CharField(max_length=32, choices=ScopeWord.choices, default=ScopeWord.FULL_PROJECT)
    subject = models.CharField(max_length=100, blank=True, help_text="The session or the task, if not the project.")
    level = models.CharField(max_length=16, choices=Level.choices, default=Level.BASIC)
    text = models.TextField()
    sha256 = models.CharField(max_length=64)
    cursor = models.PositiveBigIntegerField(help_text="The id of the newest event of the project in it.")
    actor_name = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="handover_number_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="handover_counts_from_one"),
            models.CheckConstraint(condition=Q(scope__in=ScopeWord.values), name="handover_scope_is_known"),
        ]

    def __str__(self) -> str:
        return f"Handover {self.number} of {self.project_id}"


class Tombstone(models.Model):
    """What is left of a purged plan: its name, and the export that it can be imported from."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="tombstones")
    public_id = models.CharField(max_length=100)
    title = models.CharField(max_length=300)
    tasks = models.PositiveIntegerField(help_text="How many tasks it had, itself included.")
    export_name = models.CharField(max_length=200, help_text="The file below ORCHESTRATOR_HOME/exports.")
    export_sha256 = models.CharField(max_length=64)
    actor_name = models.CharField(max_length=200)
    purged_at = models.DateTimeField(default=timezone.now, editable=False)
    imported_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["project", "-id"], name="tombstone_latest")]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "public_id"], condition=Q(imported_at__isnull=True), name="tombstone_once"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id
