"""Read-only pages of job runs and schedules.

The queue's own pages are removed: a schedule names any function of the process and queued jobs are pickles, so anyone
who could change them could run code here.
"""

from __future__ import annotations

import django_q.admin
from django.contrib import admin
from django_q.models import Failure, OrmQ, Schedule, Success

from maintenance.models import JobRun
from orchestrator_site.web.admin import ReadOnlyAdmin

assert django_q.admin  # noqa: S101 - it registers what is removed here
admin.site.unregister([Schedule, OrmQ, Success, Failure])


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin):
    list_display = ("job", "outcome", "attempt", "started_at", "finished_at", "message")
    list_filter = ("job", "outcome")


@admin.register(Schedule)
class ScheduleAdmin(ReadOnlyAdmin):
    list_display = ("name", "minutes", "next_run")
    fields = ("name", "func", "args", "minutes", "next_run")
