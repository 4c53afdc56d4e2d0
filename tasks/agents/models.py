"""Runs, their attempts, asks and messages, what a project allows, and the supervisors that are at work.

Only `tasks/agents/services/` changes their rows.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from tasks.agents.choices import LIVE, WORKING, AskState, Communication, RunState, Workspace
from tasks.models import Project, Session, Task

MONEY: dict[str, Any] = {"max_digits": 12, "decimal_places": 6, "default": Decimal(0)}


class Isolation(models.Model):
    """Whether agents may run for a project, which ones, and with which rights; only people change it."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="isolation")
    is_on = models.BooleanField(default=False)
    settings = models.JSONField(default=dict, blank=True, help_text="As `tasks/agents/settings.py` describes them.")
    changed_by = models.CharField(max_length=200, blank=True)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "isolation"

    def __str__(self) -> str:
        return f"{self.project}: {'on' if self.is_on else 'off'}"


class Supervisor(models.Model):
    """A process that starts agents and looks after them, on one machine."""

    public_id = models.CharField(max_length=40, unique=True)
    machine = models.CharField(max_length=200, help_text="Its runs can only be adopted on the same one.")
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    facts = models.JSONField(default=dict, blank=True, help_text="What it found: jail, git, agents, strays.")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.public_id} on {self.machine}"


class Run(models.Model):
    """One agent on one task: where it works, what it may cost, how far it is, and what became of it."""

    public_id = models.CharField(max_length=40, unique=True)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="runs", db_index=False)
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="runs")
    plan = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="+")
    session = models.ForeignKey(
        Session, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", help_text="It holds the lease."
    )
    lease_number = models.PositiveIntegerField(default=0)
    token_digest = models.CharField(max_length=64, blank=True, db_index=True)
    started_by = models.CharField(max_length=200)
    user_id = models.PositiveBigIntegerField(null=True, blank=True, help_text="On whose behalf, where that is known.")

    agent = models.CharField(max_length=32)
    agent_version = models.CharField(max_length=64, blank=True)
    model = models.CharField(max_length=100, blank=True)
    workspace = models.CharField(max_length=16, choices=Workspace.choices, default=Workspace.NEW)
    communication = models.CharField(max_length=16, choices=Communication.choices, default=Communication.ARTIFACT)
    limits = models.JSONField(default=dict, help_text="minutes, idle_minutes, turns, cost_usd.")

    state = models.CharField(max_length=16, choices=RunState.choices, default=RunState.QUEUED)
    reason = models.TextField(blank=True, help_text="Why it waits, or why it ended so.")
    stop = models.CharField(max_length=16, choices=RunState.choices, blank=True, help_text="How it was asked to end.")
    stopped_by = models.CharField(max_length=200, blank=True)
    not_before = models.DateTimeField(null=True, blank=True, help_text="Until then the agent's provider takes nothing.")
    resumes = models.BooleanField(default=False, help_text="The next attempt goes on in the agent's own session.")
    deadline = models.DateTimeField(null=True, blank=True)
    queued_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    machine = models.CharField(max_length=200, blank=True, help_text="Where its worktree and its processes are.")
    supervisor = models.ForeignKey(Supervisor, null=True, blank=True, on_delete=models.SET_NULL, related_name="runs")
    keeping = models.PositiveIntegerField(default=0, help_text="Grows with every supervisor that takes it over.")

    base = models.CharField(max_length=200, blank=True, help_text="The branch or commit that it begins from.")
    worktree = models.JSONField(default=dict, blank=True)
    branch = models.CharField(max_length=200, blank=True)
    base_commit = models.CharField(max_length=64, blank=True)
    head_commit = models.CharField(max_length=64, blank=True, help_text="The work as collected.")
    facts = models.JSONField(default=dict, blank=True, help_text="Jailed or not; changed files, links, what is wrong.")
    prepared_at = models.DateTimeField(null=True, blank=True, help_text="When its worktree was filled and set up.")
    merged_commit = models.CharField(max_length=64, blank=True)
    dismissed_at = models.DateTimeField(null=True, blank=True, help_text="Its work is not wanted.")
    removed_at = models.DateTimeField(null=True, blank=True, help_text="When its worktree was removed.")

    turns = models.PositiveIntegerField(default=0)
    tokens_in = models.PositiveBigIntegerField(default=0)
    tokens_out = models.PositiveBigIntegerField(default=0)
    tokens_cached = models.PositiveBigIntegerField(default=0)
    context_used = models.PositiveBigIntegerField(default=0)
    context_peak = models.PositiveBigIntegerField(default=0)
    context_size = models.PositiveBigIntegerField(default=0)
    compactions = models.PositiveIntegerField(default=0)
    cost_usd = models.DecimalField(**MONEY)
    memory_peak = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["state", "id"], name="run_live", condition=Q(state__in=LIVE)),
            models.Index(fields=["project", "-id"], name="run_by_project"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=RunState.values), name="run_state_is_known"),
            models.UniqueConstraint(fields=["task"], condition=Q(state__in=LIVE), name="run_one_live_per_task"),
            models.CheckConstraint(
                condition=Q(state__in=LIVE, ended_at__isnull=True) | (~Q(state__in=LIVE) & Q(ended_at__isnull=False)),
                name="run_ended_at_goes_with_its_end",
            ),
            models.CheckConstraint(
                condition=Q(state__in=WORKING) | Q(supervisor__isnull=True), name="run_is_kept_while_at_work"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id}: {self.agent} on {self.task_id}"

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def attempt(self) -> Attempt | None:
        return self.attempts.order_by("-number").first()


class Attempt(models.Model):
    """One process of the agent. A resumed run has several, with one session of the agent's own."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    session_id = models.CharField(max_length=200, blank=True, help_text="The agent's own.")
    resumes = models.BooleanField(default=False)
    process = models.JSONField(default=dict, blank=True, help_text="By which the next supervisor finds it again.")
    offset = models.PositiveBigIntegerField(default=0, help_text="Bytes of its output that were taken in.")
    usage = models.JSONField(default=dict, blank=True)
    follow_ups = models.PositiveIntegerField(default=0, help_text="How often it was asked to deliver.")
    exit_code = models.IntegerField(null=True, blank=True)
    outcome = models.CharField(max_length=16, choices=RunState.choices, blank=True)
    reason = models.TextField(blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    heard_at = models.DateTimeField(default=timezone.now, help_text="When it last said anything.")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="attempt_number_once_per_run")]

    def __str__(self) -> str:
        return f"{self.run_id}, attempt {self.number}"


class RunAsk(models.Model):
    """What an agent asks a person to allow."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="asks")
    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="asks")
    ask_id = models.CharField(max_length=200, help_text="The agent's own.")
    tool = models.CharField(max_length=200)
    question = models.TextField(blank=True)
    input = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=16, choices=AskState.choices, default=AskState.OPEN)
    reason = models.TextField(blank=True)
    answered_by = models.CharField(max_length=200, blank=True)
    asked_at = models.DateTimeField(default=timezone.now)
    answered_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True, help_text="When the agent got the answer.")

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["state"], name="run_ask_open", condition=Q(state=AskState.OPEN))]
        constraints = [
            models.UniqueConstraint(fields=["attempt", "ask_id"], name="run_ask_once"),
            models.CheckConstraint(condition=Q(state__in=AskState.values), name="run_ask_state_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.tool}"


class RunMessage(models.Model):
    """What a person or another assistant says to an agent at work."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="messages")
    text = models.TextField()
    written_by = models.CharField(max_length=200)
    written_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.CheckConstraint(condition=~Q(text=""), name="run_message_says_something")]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.text[:80]}"
