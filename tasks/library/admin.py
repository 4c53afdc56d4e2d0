"""Read-only pages of the library; its own pages and tools change it."""

from __future__ import annotations

from django.contrib import admin

from orchestrator_site.web.admin import ReadOnlyAdmin
from tasks.library.models import Context, ContextUse, PlanOrigin, Recurring, Template


@admin.register(Template)
class TemplateAdmin(ReadOnlyAdmin):
    list_display = ("name", "project", "number", "version", "title", "saved_by", "saved_at", "is_deleted")
    list_select_related = ("project",)
    search_fields = ("name", "title")


@admin.register(PlanOrigin)
class PlanOriginAdmin(ReadOnlyAdmin):
    list_display = ("plan", "template", "version", "source", "created_at")
    list_select_related = ("plan",)
    search_fields = ("template", "plan__public_id")


@admin.register(Recurring)
class RecurringAdmin(ReadOnlyAdmin):
    list_display = ("name", "project", "template", "is_on", "next_at", "outcome")
    list_select_related = ("project",)


@admin.register(Context)
class ContextAdmin(ReadOnlyAdmin):
    list_display = ("name", "specialist", "project", "state", "used", "unused", "is_disputed", "expires_at")
    list_filter = ("state",)
    list_select_related = ("project",)
    search_fields = ("name", "specialist", "public_id")


@admin.register(ContextUse)
class ContextUseAdmin(ReadOnlyAdmin):
    list_display = ("context", "task", "lease_number", "is_used", "created_at")
    list_select_related = ("task",)
    search_fields = ("context", "task__public_id")
