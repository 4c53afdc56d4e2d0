"""/projects."""

from __future__ import annotations

from django.urls import reverse
from django_filters import rest_framework as filters
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator_site.kernel.errors import NotFound
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.rest.fields import Body, String
from orchestrator_site.rest.filters import SEARCH_LIMIT, Filters
from orchestrator_site.rest.idempotency import Reply
from tasks.api.base import ProjectApi
from tasks.api.serializers import ProjectRow, ProjectShape, SettingsField
from tasks.api.status import ProjectStatusAnswer, status_of
from tasks.identity.actor import Actor
from tasks.models import Project
from tasks.services.edit_project import create_project, edit_project
from tasks.services.project_folders import PATHS_LIMIT


class ProjectBody(Body):
    name = String()
    slug = String(required=False)
    root_path = String(required=False)
    settings = SettingsField(required=False)


class ProjectEdit(Body):
    name = String(required=False)
    settings = SettingsField(required=False)
    root_path = String(required=False)
    paths = serializers.ListField(child=String(), required=False, max_length=PATHS_LIMIT)


class ProjectFilters(Filters):
    search = filters.CharFilter(
        field_name="name", lookup_expr="icontains", max_length=SEARCH_LIMIT, help_text="With this in the name."
    )


class ProjectViews(ProjectApi):
    """Projects by their slug."""

    queryset = Project.objects.all()
    serializer_class = ProjectShape
    filterset_class = ProjectFilters
    lookup_field = "slug"
    lookup_url_kwarg = "project"
    lookup_value_regex = "[^/]+"
    scopes = {"create": Scope.ADMIN, "partial_update": Scope.ADMIN}
    statuses = {"create": 201}
    bodies = {"create": ProjectBody, "partial_update": ProjectEdit}
    answers = {"list": ProjectRow, "status": ProjectStatusAnswer}
    orderings = {"created_at": "pk", "name": "name"}
    ordering = "name"

    def list(self, request: Request) -> Response:
        """List projects."""
        return self.listed(self.visible(Project.objects.all(), project="pk"))

    def retrieve(self, request: Request, project: str) -> Response:
        """Read a project."""
        return self.shown(self.project(project))

    def create(self, request: Request) -> Response:
        """Create a project."""
        if self.principal.project_id is not None:
            raise NotFound("This access token is for one project and cannot create another.")
        return self.once(self._create, project=None)

    def partial_update(self, request: Request, project: str) -> Response:
        """Change a project's name, settings or folders.

        `paths` are further folders that lead to this project. A project without tasks gives a folder up to another.
        """
        found = self.project(project)
        actor, guard = Actor.outside(self.principal), self.guard()
        return self.once(
            lambda: self.reply(edit_project(project=found, actor=actor, columns=self.given(), guard=guard)),
            project=found,
        )

    @action(detail=True)
    def status(self, request: Request, project: str) -> Response:
        """Read a project's status: counts, what needs attention, what is ready next."""
        found = self.project(project)
        return Response(self.shape(status_of(found, self.reading_session(found))))

    def _create(self) -> Reply:
        made = create_project(actor=Actor.outside(self.principal), **self.given())
        return self.reply(made, status=201, location=reverse("api-project-detail", args=[made.slug]))
