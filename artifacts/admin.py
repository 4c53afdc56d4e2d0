"""Django admin of artifacts: read-only, and without their contents."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet, Sum
from django.http import HttpRequest
from django.urls import reverse

from artifacts.models import (
    Artifact,
    ArtifactPath,
    ArtifactVersion,
    Content,
    ReviewComment,
    SearchBacklog,
    SearchDocument,
    Upload,
)
from artifacts.storage.verify import State, examine
from orchestrator_site.web.admin import ReadOnlyAdmin, chosen, list_link, row_link

VERIFIED_BYTES = 256 * 1024 * 1024
"""How much one request reads."""


@admin.register(Artifact)
class ArtifactAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "kind", "task_link", "project", "version", "updated_at")
    list_filter = ("kind", ("project", admin.RelatedOnlyFieldListFilter))
    search_fields = ("public_id", "=task__public_id", "paths__path")
    list_select_related = ("task", "project")
    ordering = ("-id",)
    linked_by = ("task__id__exact",)
    readonly_fields = ("versions_link", "paths_link")
    actions = ("verify",)

    @admin.action(description="Verify the contents of the selected artifacts", permissions=["view"])
    def verify(self, request: HttpRequest, artifacts: QuerySet[Artifact]) -> None:
        """Read every version and compare it with its checksum; changes nothing."""
        versions = ArtifactVersion.objects.filter(artifact__in=chosen(request, artifacts)).select_related("artifact")
        sizes = versions.aggregate(total=Sum("content__size_bytes"))["total"] or 0
        if sizes > VERIFIED_BYTES:
            messages.error(
                request,
                f"Too much at once: {sizes:,} bytes. Select fewer, or run `manage.py artifacts verify`.",
            )
            return
        found = [(version, examine(version.content).state) for version in versions.select_related("content")]
        for version, state in found:
            if state is not State.SOUND:
                messages.error(request, f"Version {version.number} of {version.artifact.public_id} is {state.value}.")
        sound = sum(state is State.SOUND for _, state in found)
        messages.success(request, f"{sound} of {len(found)} versions are intact.")

    def view_on_site(self, obj: Artifact) -> str:
        return reverse("artifact", args=[obj.public_id])

    task_link = row_link("task")
    versions_link = list_link("artifacts_artifactversion", "Versions", "artifact")
    paths_link = list_link("artifacts_artifactpath", "Paths", "artifact")


@admin.register(ArtifactVersion)
class ArtifactVersionAdmin(ReadOnlyAdmin):
    list_display = ("id", "artifact_link", "number", "media_type", "actor_name", "content_link", "created_at")
    list_display_links = ("id",)
    list_filter = ("media_type",)
    search_fields = ("=artifact__public_id", "=content__sha256", "actor_name")
    ordering = ("-id",)
    linked_by = ("artifact__id__exact", "content__id__exact")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("artifact", "content").defer("content__data")

    artifact_link = row_link("artifact")
    content_link = row_link("content")


@admin.register(ArtifactPath)
class ArtifactPathAdmin(ReadOnlyAdmin):
    list_display = ("path", "artifact_link")
    search_fields = ("path", "=artifact__public_id")
    list_select_related = ("artifact",)
    ordering = ("-id",)
    linked_by = ("artifact__id__exact",)
    artifact_link = row_link("artifact")


@admin.register(ReviewComment)
class ReviewCommentAdmin(ReadOnlyAdmin):
    list_display = ("id", "task_link", "version_link", "lines", "author", "created_at", "sent_at")
    list_filter = (("task__project", admin.RelatedOnlyFieldListFilter), ("sent_at", admin.EmptyFieldListFilter))
    search_fields = ("=task__public_id", "=version__artifact__public_id", "author", "text")
    list_select_related = ("task", "version")
    ordering = ("-id",)
    linked_by = ("task__id__exact",)
    task_link = row_link("task")
    version_link = row_link("version")


@admin.register(Upload)
class UploadAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "state", "task_link", "project", "received", "expected_size", "last_append_at")
    list_filter = ("state", ("project", admin.RelatedOnlyFieldListFilter))
    search_fields = ("public_id", "=task__public_id", "actor_name")
    list_select_related = ("task", "project")
    ordering = ("-id",)
    task_link = row_link("task")


@admin.register(SearchDocument)
class SearchDocumentAdmin(ReadOnlyAdmin):
    list_display = ("id", "kind", "task_link", "offset")
    list_filter = ("kind", ("project", admin.RelatedOnlyFieldListFilter))
    search_fields = ("=task__public_id", "=artifact__public_id")
    list_select_related = ("task",)
    ordering = ("-id",)
    exclude = ("scope",)
    task_link = row_link("task")


@admin.register(SearchBacklog)
class SearchBacklogAdmin(ReadOnlyAdmin):
    list_display = ("owner",)
    ordering = ("-owner",)


@admin.register(Content)
class ContentAdmin(ReadOnlyAdmin):
    list_display = ("sha256", "size_bytes", "size_chars", "size_lines", "is_inline", "stored_at")
    search_fields = ("=sha256",)
    ordering = ("-id",)
    exclude = ("data", "index")
    readonly_fields = ("is_inline", "versions_link")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Find out whether the content is in the row without reading it."""
        rows: QuerySet[Any] = super().get_queryset(request).annotate(in_row=Q(data__isnull=False))
        return rows.defer("data", "index")

    @admin.display(description="in the row", boolean=True)
    def is_inline(self, content: Content) -> bool:
        return bool(getattr(content, "in_row", False))

    versions_link = list_link("artifacts_artifactversion", "Versions", "content")
