"""Representations of operations, findings, the archive, tombstones and schedules."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from maintenance.choices import Action, Cause, Level, Outcome, ScopeWord, Severity, State, UpgradeOutcome
from maintenance.models import Finding, Operation, Tombstone
from tasks.api.serializers import TaskRow

SEVERITIES = tuple(severity.label for severity in Severity)


class OperationRow(serializers.ModelSerializer[Operation]):
    """A run of the coordinator; of `total` steps `done` are done."""

    operation_id = serializers.CharField(source="public_id")
    project = serializers.CharField(source="project.slug")
    action = serializers.ChoiceField(Action.choices)
    scope = serializers.ChoiceField(ScopeWord.choices)
    validation_level = serializers.ChoiceField(Level.choices, source="level")
    state = serializers.ChoiceField(State.choices)
    changes_total = serializers.SerializerMethodField()
    actor = serializers.CharField(source="actor_name")

    class Meta:
        model = Operation
        fields: tuple[str, ...] = (
            "operation_id", "project", "action", "scope", "validation_level", "state", "done", "total",
            "changes_total", "actor_kind", "actor", "problem", "created_at", "started_at", "finished_at", "undone_at",
            "undone_by",
        )  # fmt: skip

    def get_changes_total(self, operation: Operation) -> int:
        """Return how many changes it made."""
        return len(operation.changes)


class OperationShape(OperationRow):
    """A run with its arguments, what it answered, its full report, and what it changed."""

    request = serializers.DictField()
    answer = serializers.DictField()
    report = serializers.DictField()
    changes = serializers.ListField(child=serializers.DictField())

    class Meta(OperationRow.Meta):
        fields = (*OperationRow.Meta.fields, "request", "answer", "report", "changes")


class ReportedFinding(serializers.Serializer[Any]):
    """What a run found: `proposal` is the verb that an apply would do, `advice` is for a person."""

    cause = serializers.ChoiceField(Cause.choices)
    severity = serializers.SerializerMethodField()
    subject = serializers.CharField()
    title = serializers.CharField()
    since = serializers.DateTimeField()
    evidence = serializers.DictField()
    proposal = serializers.CharField()
    advice = serializers.CharField()

    def get_severity(self, found: Any) -> str:
        """Return its word."""
        return Severity(found.severity).label


class CoordinatorAnswer(serializers.Serializer[Any]):
    """What a run found (`counts` by cause), would do (`proposals`) or did; of each the first few, and the totals.

    `plan_token` applies exactly what was proposed. `operation` is null where nothing was changed.
    """

    operation = OperationRow(allow_null=True)
    counts = serializers.DictField(child=serializers.IntegerField())
    findings = ReportedFinding(many=True)
    findings_total = serializers.IntegerField()
    proposals = ReportedFinding(many=True)
    proposals_total = serializers.IntegerField()
    changes = serializers.ListField(child=serializers.DictField())
    changes_total = serializers.IntegerField()
    plan_token = serializers.CharField()
    handover = serializers.IntegerField(source="handover.number", default=None, allow_null=True)
    documents = serializers.DictField()
    notes = serializers.ListField(child=serializers.CharField())
    text = serializers.CharField()


class FindingShape(serializers.ModelSerializer[Finding]):
    """A finding, kept until a later run no longer finds it."""

    finding_id = serializers.CharField(source="pk")
    task_id = serializers.CharField(source="task.public_id", default=None, allow_null=True)
    title = serializers.CharField(source="task.title", default="")
    cause = serializers.ChoiceField(Cause.choices)
    severity = serializers.ChoiceField(SEVERITIES, source="get_severity_display")
    evidence = serializers.DictField()

    class Meta:
        model = Finding
        fields = (
            "finding_id", "task_id", "title", "cause", "subject", "severity", "evidence", "proposal", "advice", "since",
            "found_at", "snoozed_until", "resolved_at",
        )  # fmt: skip


class ArchivedRow(TaskRow):
    """An archived task, with why and by whom, as far as an event says so."""

    archived_because = serializers.CharField()
    archived_by = serializers.CharField()

    class Meta(TaskRow.Meta):
        fields = (*TaskRow.Meta.fields, "archived_because", "archived_by")


class TombstoneShape(serializers.ModelSerializer[Tombstone]):
    """What is left of a purged plan; `export_name` is a file below ORCHESTRATOR_HOME/exports."""

    task_id = serializers.CharField(source="public_id")
    actor = serializers.CharField(source="actor_name")

    class Meta:
        model = Tombstone
        fields = ("task_id", "title", "tasks", "export_name", "export_sha256", "actor", "purged_at", "imported_at")


class ScheduleShape(serializers.Serializer[Any]):
    """A job of the site with its schedule and its newest run."""

    name = serializers.CharField()
    purpose = serializers.CharField()
    every_minutes = serializers.IntegerField()
    next_run = serializers.DateTimeField(allow_null=True)
    outcome = serializers.ChoiceField(Outcome.choices, source="last.outcome", default=None, allow_null=True)
    message = serializers.CharField(source="last.message", default="")
    last_run = serializers.DateTimeField(source="last.started_at", default=None, allow_null=True)


class SchedulesAnswer(serializers.Serializer[Any]):
    """All schedules; without a worker (`worker` is false) none of them runs."""

    results = ScheduleShape(many=True)
    worker = serializers.BooleanField()


class UpgradeShape(serializers.Serializer[Any]):
    """An upgrade of the database, or a backup that was restored."""

    started_at = serializers.DateTimeField()
    outcome = serializers.ChoiceField(UpgradeOutcome.choices)
    version = serializers.CharField()
    actor_name = serializers.CharField()
    migrations = serializers.ListField(child=serializers.DictField(child=serializers.CharField()))
    rows = serializers.IntegerField()
    seconds = serializers.FloatField()
    backup = serializers.CharField()
    problem = serializers.CharField()


class BackupShape(serializers.Serializer[Any]):
    """A backup: of the database alone before an upgrade or a restore, or a daily one of everything."""

    name = serializers.CharField()
    made_at = serializers.DateTimeField()
    size_bytes = serializers.IntegerField()


class UpgradesAnswer(serializers.Serializer[Any]):
    """The newest upgrades, and the backups that are there, with the size of the database in each."""

    results = UpgradeShape(many=True)
    backups = BackupShape(many=True)


class QueuedAnswer(serializers.Serializer[Any]):
    """The job that was queued."""

    name = serializers.CharField()
