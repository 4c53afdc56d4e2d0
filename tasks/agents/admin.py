"""Read-only pages of runs and what belongs to them; the pages of runs act on them."""

from __future__ import annotations

from django.contrib import admin

from orchestrator_site.web.admin import ReadOnlyAdmin
from tasks.agents.models import Attempt, Isolation, Run, RunAsk, RunMessage, Supervisor


@admin.register(Isolation)
class IsolationAdmin(ReadOnlyAdmin):
    list_display = ("project", "is_on", "changed_by", "changed_at")
    list_select_related = ("project",)


@admin.register(Supervisor)
class SupervisorAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "machine", "pid", "started_at", "seen_at")


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "task", "project", "agent", "state", "turns", "cost_usd", "queued_at", "ended_at")
    list_filter = ("state", "agent")
    list_select_related = ("task", "project")
    exclude = ("token_digest",)


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    list_display = ("run", "number", "outcome", "exit_code", "started_at", "ended_at")
    list_select_related = ("run",)


@admin.register(RunAsk)
class RunAskAdmin(ReadOnlyAdmin):
    list_display = ("run", "tool", "state", "asked_at", "answered_by", "answered_at")
    list_filter = ("state",)
    list_select_related = ("run",)


@admin.register(RunMessage)
class RunMessageAdmin(ReadOnlyAdmin):
    list_display = ("run", "written_by", "written_at", "sent_at")
    list_select_related = ("run",)
