"""What was shown for the gates of tasks, what a reviewer waived, and what each attempt at a task came to."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from tasks.choices import GateKind, Rung, Verb
from tasks.models.projects import Session
from tasks.models.tasks import Task


class Evidence(models.Model):
    """One piece of evidence for one gate: bound to the lease under which it came, and to the tree that it is about.

    `deliveries` is how many deliveries the task had: with a later one it is stale. `sha256` is of what came, or of the
    challenge that an observer answered, so that nothing counts twice.
    """

    public_id = models.CharField(max_length=40, unique=True)
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="evidence", db_index=False)
    lease_number = models.PositiveIntegerField()
    gate = models.CharField(max_length=100)
    kind = models.CharField(max_length=16, choices=GateKind.choices)
    rung = models.SmallIntegerField(choices=Rung.choices)
    passed = models.BooleanField()
    summary = models.TextField(blank=True, help_text="In a sentence what came, or why it does not count.")
    facts = models.JSONField(default=dict, blank=True, help_text="exit_code, seconds, tests, failures, skipped, names.")
    output = models.TextField(blank=True, help_text="The beginning and the end of what a command printed.")
    fingerprint = models.CharField(max_length=64, blank=True, help_text="Of the files; empty where there is no tree.")
    commit = models.CharField(max_length=64, blank=True)
    deliveries = models.PositiveIntegerField(default=0)
    sha256 = models.CharField(max_length=64)
    session = models.ForeignKey(Session, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    actor_kind = models.CharField(max_length=16)
    actor_name = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "evidence"
        indexes = [models.Index(fields=["sha256"], name="evidence_by_content")]
        constraints = [
            models.UniqueConstraint(fields=["task", "lease_number", "gate", "sha256"], name="evidence_once"),
            models.CheckConstraint(condition=Q(kind__in=GateKind.values), name="evidence_kind_is_known"),
            models.CheckConstraint(condition=Q(rung__in=Rung.values), name="evidence_rung_is_known"),
            models.CheckConstraint(condition=~Q(sha256=""), name="evidence_has_a_hash"),
        ]

    def __str__(self) -> str:
        return f"{self.public_id}: {self.gate} of {self.task_id}"


class Waiver(models.Model):
    """A reviewer's word that a gate need not be met, with the reason."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="waivers", db_index=False)
    gate = models.CharField(max_length=100)
    reason = models.TextField()
    session = models.ForeignKey(Session, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    actor_kind = models.CharField(max_length=16)
    actor_name = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["task", "gate"], name="waiver_once"),
            models.CheckConstraint(condition=~Q(reason=""), name="waiver_has_a_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.gate} of {self.task_id}"


class Attempt(models.Model):
    """A claim from its begin to its end: who held the task, and what came of it. Written when it ends."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="attempts", db_index=False)
    lease_number = models.PositiveIntegerField()
    session = models.ForeignKey(Session, null=True, blank=True, on_delete=models.SET_NULL, related_name="attempts")
    holder = models.CharField(max_length=200, blank=True)
    client = models.CharField(max_length=200, blank=True, help_text="As the session named it then, like the model.")
    model = models.CharField(max_length=100, blank=True)
    outcome = models.CharField(max_length=32, choices=Verb.choices)
    reason = models.TextField(blank=True, help_text="What failed, or what the next one should know.")
    read_tokens = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="As the client reported, like the cost."
    )
    written_tokens = models.PositiveBigIntegerField(null=True, blank=True)
    cost_usd = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["task", "lease_number"], name="attempt_once")]

    def __str__(self) -> str:
        return f"{self.task_id}: attempt {self.lease_number}"
