"""Django admin: records that services own are read-only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from orchestrator_site.kernel.errors import Invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.signals import project_files_changed
from orchestrator_site.web.admin import ReadOnlyAdmin, link_to, list_link, may, row_link
from tasks.admin_actions import TASK_ACTIONS, TaskActionForm, end_sessions
from tasks.models import (
    Attempt,
    Dependency,
    Event,
    Evidence,
    IdempotencyKey,
    Note,
    Project,
    ProjectPath,
    Resource,
    ResourceHold,
    ResourceNeed,
    Session,
    Specialist,
    Task,
    ToolUse,
    Waiver,
)
from tasks.services.edit_project import require_mirrors_folder

if TYPE_CHECKING:  # the classes are generic for the type checker alone
    _ModelAdmin = admin.ModelAdmin[Any]
    _ProjectForm = forms.ModelForm[Project]
    _SpecialistForm = forms.ModelForm[Specialist]
else:
    _ModelAdmin = admin.ModelAdmin
    _ProjectForm = _SpecialistForm = forms.ModelForm

admin.site.site_header = "Task Orchestrator administration"
admin.site.site_title = "Task Orchestrator"
admin.site.index_title = "All records"


class ProjectForm(_ProjectForm):
    def clean_settings(self) -> dict[str, Any]:
        settings = self.cleaned_data["settings"]
        if not isinstance(settings, dict):
            raise ValidationError('Enter a JSON object, such as {"lease_minutes": 30}.')
        try:
            require_mirrors_folder(settings, self.instance.settings, self.instance.root_path)
        except Invalid as error:
            raise ValidationError(error.message) from error
        return settings


@admin.register(Project)
class ProjectAdmin(ReadOnlyAdmin):
    form = ProjectForm
    list_display = ("name", "slug", "root_path", "created_at", "tasks_link", "artifacts_link")
    search_fields = ("name", "slug", "root_path")
    fields = ("name", "settings", "slug", "root_path", "created_at", "tasks_link", "artifacts_link")
    readonly_fields = ("slug", "root_path", "created_at", "tasks_link", "artifacts_link")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return may(request, Scope.ADMIN) and _ModelAdmin.has_change_permission(self, request, obj)

    def save_model(self, request: HttpRequest, obj: Project, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        project_files_changed.send(Project, project=obj)

    def view_on_site(self, obj: Project) -> str:
        return reverse("project", args=[obj.slug])

    tasks_link = list_link("tasks_task", "Tasks", "project")
    artifacts_link = list_link("artifacts_artifact", "Artifacts", "project")


@admin.register(ProjectPath)
class ProjectPathAdmin(ReadOnlyAdmin):
    list_display = ("path", "project")
    list_select_related = ("project",)
    search_fields = ("path",)


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "client_name", "client_version", "project", "started_at", "last_seen_at", "ended_at")
    list_filter = (
        "client_name",
        ("ended_at", admin.EmptyFieldListFilter),
        ("project", admin.RelatedOnlyFieldListFilter),
    )
    search_fields = ("public_id", "client_name", "connection_id")
    list_select_related = ("project",)
    readonly_fields = ("events_link", "held_link", "tools_link")
    actions = (end_sessions,)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return may(request, Scope.ADMIN)

    def view_on_site(self, obj: Session) -> str:
        return reverse("session", args=[obj.public_id])

    tools_link = list_link("tasks_tooluse", "What its calls cost", "session", description="tool calls")
    events_link = list_link("tasks_event", "Events of this session", "session", description="events")
    held_link = list_link("tasks_task", "Tasks in progress", "lease_session")


@admin.register(ToolUse)
class ToolUseAdmin(ReadOnlyAdmin):
    list_display = ("id", "tool", "session_link", "calls", "errors", "repaired", "bytes_sent", "last_error", "last_at")
    list_filter = ("session__project",)
    search_fields = ("=tool", "=session__public_id")
    list_select_related = ("session",)
    ordering = ("-id",)
    linked_by = ("session__id__exact",)
    session_link = row_link("session")


@admin.register(Task)
class TaskAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "title", "status", "specialist", "priority", "project", "plan_link", "updated_at")
    list_filter = (
        "status",
        "priority",
        "complexity",
        "is_leaf",
        "requires_review",
        ("archived_at", admin.EmptyFieldListFilter),
        "project",
    )
    search_fields = ("public_id", "title", "specialist")
    list_select_related = ("project", "root")
    ordering = ("-id",)
    linked_by = ("parent__id__exact", "root__id__exact", "lease_session__id__exact")
    readonly_fields = ("subtasks_link", "dependencies_link", "dependents_link", "artifacts_link", "events_link")
    actions = TASK_ACTIONS
    action_form = TaskActionForm

    def has_write_permission(self, request: HttpRequest) -> bool:
        return may(request, Scope.WRITE)

    def has_review_permission(self, request: HttpRequest) -> bool:
        return may(request, Scope.REVIEW)

    def view_on_site(self, obj: Task) -> str:
        return reverse("task", args=[obj.public_id])

    @admin.display(description="plan")
    def plan_link(self, task: Task) -> SafeString | str:
        return link_to(task.root, task.root.public_id) if task.root else "-"

    subtasks_link = list_link("tasks_task", "Subtasks", "parent")
    dependencies_link = list_link("tasks_dependency", "Dependencies", "task")
    dependents_link = list_link("tasks_dependency", "Dependents", "depends_on")
    artifacts_link = list_link("artifacts_artifact", "Artifacts", "task")
    events_link = list_link("tasks_event", "Events", "task")


@admin.register(Evidence)
class EvidenceAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "task_link", "lease_number", "gate", "kind", "rung", "passed", "actor_name")
    list_filter = ("kind", "rung")
    search_fields = ("=task__public_id", "=public_id", "gate")
    list_select_related = ("task",)
    ordering = ("-id",)
    task_link = row_link("task")


@admin.register(Waiver)
class WaiverAdmin(ReadOnlyAdmin):
    list_display = ("gate", "task_link", "reason", "actor_name", "created_at")
    search_fields = ("=task__public_id", "gate")
    list_select_related = ("task",)
    ordering = ("-id",)
    task_link = row_link("task")


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    list_display = ("lease_number", "task_link", "holder", "outcome", "started_at", "ended_at")
    search_fields = ("=task__public_id", "holder")
    list_select_related = ("task",)
    ordering = ("-id",)
    task_link = row_link("task")


@admin.register(Resource)
class ResourceAdmin(ReadOnlyAdmin):
    list_display = ("name", "project", "capacity", "held", "last_number")
    search_fields = ("name", "project__slug")
    list_select_related = ("project",)


@admin.register(ResourceNeed)
class ResourceNeedAdmin(ReadOnlyAdmin):
    list_display = ("resource", "task_link")
    search_fields = ("=task__public_id", "resource__name")
    list_select_related = ("task", "resource")
    task_link = row_link("task")


@admin.register(ResourceHold)
class ResourceHoldAdmin(ReadOnlyAdmin):
    list_display = ("resource", "task_link", "holder", "number", "expires_at")
    search_fields = ("=task__public_id", "resource__name", "holder")
    list_select_related = ("task", "resource")
    task_link = row_link("task")


@admin.register(Note)
class NoteAdmin(ReadOnlyAdmin):
    list_display = ("task_link", "kind", "text", "actor_name", "created_at")
    list_display_links = ("text",)
    list_filter = ("kind",)
    search_fields = ("=task__public_id", "text")
    list_select_related = ("task",)
    ordering = ("-id",)
    task_link = row_link("task")


@admin.register(Dependency)
class DependencyAdmin(ReadOnlyAdmin):
    list_display = ("id", "task_link", "depends_on_link", "inherited_from_link", "created_at")
    list_display_links = ("id",)
    list_filter = (("inherited_from", admin.EmptyFieldListFilter),)
    search_fields = ("=task__public_id", "=depends_on__public_id")
    list_select_related = ("task", "depends_on", "inherited_from")
    ordering = ("-id",)
    linked_by = ("task__id__exact", "depends_on__id__exact")
    task_link = row_link("task")
    depends_on_link = row_link("depends_on")
    inherited_from_link = row_link("inherited_from")


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("id", "created_at", "actor_name", "verb", "task_link", "project", "session_link")
    list_filter = ("verb", "project")  # no filter that lists occurring values: it would read every event
    search_fields = ("=task__public_id", "=session__public_id")
    search_help_text = "Full id of a task or session."
    list_select_related = ("task", "project", "session")
    ordering = ("-id",)
    linked_by = ("task__id__exact", "session__id__exact", "actor_kind__exact")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Look the ids up first; with joins, the query would read every event."""
        if not (term := search_term.strip()):
            return queryset, False
        tasks = list(Task.objects.filter(public_id=term).values_list("pk", flat=True))
        sessions = list(Session.objects.filter(public_id=term).values_list("pk", flat=True))
        return queryset.filter(Q(task_id__in=tasks) | Q(session_id__in=sessions)), False

    task_link = row_link("task")
    session_link = row_link("session")


class SpecialistForm(_SpecialistForm):
    def clean_expertise(self) -> list[str]:
        return _strings(self.cleaned_data["expertise"])

    def clean_approach(self) -> list[str]:
        return _strings(self.cleaned_data["approach"])


def _strings(value: Any) -> list[str]:
    if value in (None, ""):
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        raise ValidationError('Enter a JSON list of strings, such as ["Python", "SQL"].')
    return value


@admin.register(Specialist)
class SpecialistAdmin(_ModelAdmin):
    """Roles of the site and of projects; changes apply to the next brief."""

    form = SpecialistForm
    list_display = ("name", "project", "updated_at")
    list_filter = (("project", admin.EmptyFieldListFilter),)
    search_fields = ("name", "role_definition")
    list_select_related = ("project",)
    raw_id_fields = ("project",)
    fields = ("name", "project", "role_definition", "expertise", "approach", "output_format", "updated_at")
    readonly_fields = ("updated_at",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may(request, Scope.ADMIN) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return may(request, Scope.ADMIN) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return may(request, Scope.ADMIN) and super().has_delete_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Specialist, form: Any, change: bool) -> None:
        obj.updated_at = timezone.now()
        super().save_model(request, obj, form, change)


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    list_display = ("operation", "key", "project", "created_at")
    list_filter = ("operation", ("project", admin.RelatedOnlyFieldListFilter))
    search_fields = ("=key",)
    list_select_related = ("project",)
    ordering = ("-id",)
