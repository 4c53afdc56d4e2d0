"""Read-only pages of upgrades, job runs, schedules, operations, findings, handovers and tombstones.

The queue's own pages are removed: a schedule names any function of the process and queued jobs are pickles, so anyone
who could change them could run code here.
"""

from __future__ import annotations

import django_q.admin
from django.contrib import admin
from django_q.models import Failure, OrmQ, Schedule, Success

from maintenance.models import Finding, Handover, JobRun, Operation, Tombstone, Upgrade
from orchestrator_site.web.admin import ReadOnlyAdmin

assert django_q.admin  # noqa: S101 - it registers what is removed here
admin.site.unregister([Schedule, OrmQ, Success, Failure])


@admin.register(Upgrade)
class UpgradeAdmin(ReadOnlyAdmin):
    list_display = ("started_at", "outcome", "version", "actor_name", "seconds", "rows", "backup")
    list_filter = ("outcome",)


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin):
    list_display = ("job", "outcome", "attempt", "started_at", "finished_at", "message")
    list_filter = ("job", "outcome")


@admin.register(Schedule)
class ScheduleAdmin(ReadOnlyAdmin):
    list_display = ("name", "minutes", "next_run")
    fields = ("name", "func", "args", "minutes", "next_run")


@admin.register(Operation)
class OperationAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "project", "action", "state", "actor_name", "created_at", "finished_at", "undone_at")
    list_filter = ("action", "state")
    list_select_related = ("project",)


@admin.register(Finding)
class FindingAdmin(ReadOnlyAdmin):
    list_display = ("cause", "subject", "project", "severity", "since", "snoozed_until", "resolved_at")
    list_filter = ("cause", "severity")
    list_select_related = ("project",)


@admin.register(Handover)
class HandoverAdmin(ReadOnlyAdmin):
    list_display = ("project", "number", "scope", "level", "cursor", "actor_name", "created_at")
    list_select_related = ("project",)


@admin.register(Tombstone)
class TombstoneAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "title", "project", "tasks", "export_name", "actor_name", "purged_at", "imported_at")
    list_select_related = ("project",)
