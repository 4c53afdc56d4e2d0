"""/projects/{project}/templates and /templates: a project's templates, and the site's."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator_site.kernel.bodies import LARGE_BODY
from orchestrator_site.kernel.errors import NotFound, invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.rest.idempotency import Reply
from tasks.api.base import ProjectApi
from tasks.api.plans import PlanAnswer, planned_reply
from tasks.api.tasks import TaskApi
from tasks.choices import Complexity
from tasks.identity.actor import Actor
from tasks.library.api.serializers import (
    OriginShape,
    PlanFromTemplateBody,
    PreviewBody,
    PreviewShape,
    TemplateBody,
    TemplatesAnswer,
    TemplateShape,
    VersionsAnswer,
)
from tasks.library.catalogue import catalogue
from tasks.library.models import Template as Row
from tasks.library.selectors.templates import origin_of, preview, versions_of
from tasks.library.services.apply import apply_template
from tasks.library.services.templates import delete_template, save_template
from tasks.models import Project, Task


class SiteTemplateViews(ProjectApi):
    """The site's templates by their name, which every project has."""

    queryset: QuerySet[Any] = Row.objects.none()
    serializer_class = TemplateShape
    pagination_class = None
    filter_backends = ()
    lookup_field = "name"
    lookup_url_kwarg = "template"
    lookup_value_regex = "[^/]+"
    scopes = {"create": Scope.ADMIN, "update": Scope.ADMIN, "destroy": Scope.ADMIN, "preview": Scope.READ}
    statuses = {"create": 201, "destroy": 204}
    answers = {"list": TemplatesAnswer, "preview": PreviewShape, "versions": VersionsAnswer}
    bodies = {"create": TemplateBody, "update": TemplateBody, "preview": PreviewBody}

    def list(self, request: Request, project: str = "") -> Response:
        """List the templates in effect, with their sources and what is broken."""
        found = catalogue(self.place(project))
        entries = sorted(found.templates.values(), key=lambda entry: entry.name)
        return Response(self.shape({"results": entries, "problems": found.problems}))

    def retrieve(self, request: Request, project: str = "", template: str = "") -> Response:
        """Read the template in effect."""
        return self.shown(catalogue(self.place(project)).entry(template))

    def create(self, request: Request, project: str = "") -> Response:
        """Save a template, or a new version of one, under the name that it says."""
        return self._saved(project, "")

    def update(self, request: Request, project: str = "", template: str = "") -> Response:
        """Save a new version of a template, or the first one of this name."""
        return self._saved(project, template)

    def destroy(self, request: Request, project: str = "", template: str = "") -> Response:
        """Delete a template that was saved here; the next source takes effect, and the versions stay."""
        found, actor, guard = self.place(project), Actor.outside(self.principal), self.guard()

        def produce() -> Reply:
            delete_template(project=found, actor=actor, name=template, guard=guard)
            return Reply(None, 204)

        return self.once(produce, project=found)

    @action(detail=True)
    def versions(self, request: Request, project: str = "", template: str = "") -> Response:
        """List the versions that were saved, newest first."""
        place = self.place(project)
        found = list(versions_of(place, template))
        if not found:
            catalogue(place).entry(template)
        return Response(self.shape({"results": found}))

    @action(detail=True, methods=["post"])
    def preview(self, request: Request, project: str = "", template: str = "") -> Response:
        """Show the plan that the template makes with parameters."""
        found, given = self.place(project), self.given().get("parameters") or {}

        def produce() -> Reply:
            seen = preview(found, catalogue(found).entry(template), given)
            if seen.problems:
                raise invalid(seen.problems, next="Change a parameter or the template.")
            return Reply(self.shape(seen))

        return self.once(produce, project=found)

    def place(self, project: str) -> Project | None:
        """Return whose templates these are; None for the site's. Raises NotFound for what the token does not reach."""
        if self.principal.project_id is not None:
            raise NotFound(
                "These are the site's templates, and this access token is for one project.",
                next="GET /api/v1/projects/{project}/templates lists those that it has, the site's among them.",
            )
        return None

    def address_of(self, project: str, name: str) -> str:
        return reverse("api-site-template-detail", args=[name])

    def _saved(self, project: str, name: str) -> Response:
        found, actor, guard = self.place(project), Actor.outside(self.principal), self.guard()
        text = self.given()["text"]

        def produce() -> Reply:
            saved = save_template(project=found, actor=actor, text=text, name=name, guard=guard)
            if name:
                return self.reply(saved)
            return self.reply(saved, status=201, location=self.address_of(project, saved.name))

        return self.once(produce, project=found)


class TemplateViews(SiteTemplateViews):
    """The templates of a project by their name."""

    statuses = {**SiteTemplateViews.statuses, "plans": 201}
    answers = {**SiteTemplateViews.answers, "plans": PlanAnswer}
    bodies = {**SiteTemplateViews.bodies, "plans": PlanFromTemplateBody}
    limits = {"plans": LARGE_BODY}

    @action(detail=True, methods=["post"])
    def plans(self, request: Request, project: str = "", template: str = "") -> Response:
        """Make a plan from the template, all or nothing."""
        found = self.project(project)
        actor, given = self.actor(found), self.given()
        parent_id = given.get("parent_task_id")
        tasks = Task.objects.filter(project=found).select_related("project", "root")
        parent = self.one(tasks, "task", parent_id) if parent_id else None

        def produce() -> Reply:
            made = apply_template(
                project=found,
                actor=actor,
                name=template,
                parameters=given.get("parameters") or {},
                sha256=given.get("sha256", ""),
                description=given.get("description", ""),
                complexity=given.get("complexity_level", Complexity.MODERATE),
                context=given.get("context", ""),
                parent=parent,
            ).plan
            return planned_reply(self, made, found)

        return self.once(produce, project=found)

    def place(self, project: str) -> Project | None:
        return self.project(project)

    def address_of(self, project: str, name: str) -> str:
        return reverse("api-template-detail", args=[project, name])


class OriginViews(TaskApi):
    """Where plans come from."""

    answers = {"origin": OriginShape}

    def origin(self, request: Request, task_id: str) -> Response:
        """Read which template a plan came from, with its parameters."""
        found = origin_of(self.task(task_id))
        if found is None:
            raise NotFound("This plan was not made from a template.")
        return Response(self.shape(found))
