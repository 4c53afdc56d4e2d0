"""The runs of jobs."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Q
from django.utils import timezone


class Outcome(models.TextChoices):
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    DIED = "died", "Its process died"


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
