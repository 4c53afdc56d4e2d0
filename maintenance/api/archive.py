"""/projects/{project}/archive and /tombstones: what was archived, and what is left of purged plans."""

from __future__ import annotations

from typing import ClassVar

from django.db.models import Q
from django.urls import reverse
from django_filters import rest_framework as filters
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from maintenance.api.serializers import ArchivedRow, TombstoneShape
from maintenance.models import Tombstone
from maintenance.selectors import archived
from maintenance.services.import_plan import import_plan
from maintenance.services.purge import export_of
from orchestrator_site.rest.fields import Body, String
from orchestrator_site.rest.filters import SEARCH_LIMIT, BooleanFilter, Filters
from orchestrator_site.rest.idempotency import Reply
from tasks.api.base import ProjectApi
from tasks.models import Task, TaskQuerySet


class ArchiveFilters(Filters):
    search = filters.CharFilter(method="_search", max_length=SEARCH_LIMIT, help_text="With this in the title or id.")
    tops = BooleanFilter(method="_tops", help_text="`true`: without what is below another archived task.")

    def _search(self, queryset: TaskQuerySet, name: str, text: str) -> TaskQuerySet:
        return queryset.filter(Q(title__icontains=text) | Q(public_id__icontains=text))

    def _tops(self, queryset: TaskQuerySet, name: str, only: bool) -> TaskQuerySet:
        return queryset.filter(archived.IS_TOP) if only else queryset.exclude(archived.IS_TOP)


class ArchiveViews(ProjectApi):
    """Archived tasks."""

    queryset = Task.objects.all()
    serializer_class = ArchivedRow
    filterset_class = ArchiveFilters
    orderings: ClassVar[dict[str, str]] = {"archived_at": "archived_at", "created_at": "pk"}
    ordering = "-archived_at"

    def list(self, request: Request, project: str) -> Response:
        """List the archive of a project."""
        rows = Task.objects.filter(project=self.project(project), archived_at__isnull=False)
        page = self.paginate_queryset(self.filter_queryset(rows.select_related("project", "root", "parent"))) or []
        for row in archived.explained(page):
            vars(row.task).update(archived_because=row.reason, archived_by=row.actor)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class ImportBody(Body):
    session_id = String(required=False)


class TombstoneViews(ProjectApi):
    """Purged plans."""

    queryset = Tombstone.objects.all()
    serializer_class = TombstoneShape
    lookup_field = "public_id"
    lookup_url_kwarg = "task_id"
    lookup_value_regex = "[^/]+"
    bodies = {"import_export": ImportBody}
    orderings: ClassVar[dict[str, str]] = {"purged_at": "pk"}
    ordering = "-purged_at"

    def list(self, request: Request, project: str) -> Response:
        """List what is left of purged plans."""
        return self.listed(Tombstone.objects.filter(project=self.project(project)))

    @action(detail=True, methods=["post"], url_path="import")
    def import_export(self, request: Request, project: str, task_id: str) -> Response:
        """Import the export of a purged plan. It is archived as it was; restoring it is another step.

        Needs the scope `admin`.
        """
        gone = self._newest(project, task_id)
        actor = self.actor(gone.project)

        def produce() -> Reply:
            import_plan(project=gone.project, export=export_of(gone.project, gone.public_id), actor=actor)
            return self.reply(self._newest(project, task_id))

        return self.once(produce, project=gone.project, actor=actor)

    def _newest(self, project: str, task_id: str) -> Tombstone:
        rows = Tombstone.objects.filter(project=self.project(project)).select_related("project")
        return self.one(rows, "tombstone", task_id, listed_at=reverse("api-tombstone-list", args=[project]))
