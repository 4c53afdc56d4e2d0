"""/projects/{project}/specialists."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator_site.kernel.errors import NotFound
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.rest.fields import Body, StringList, Text
from orchestrator_site.rest.idempotency import Reply
from tasks import roles
from tasks.api.base import ProjectApi
from tasks.api.serializers import RoleShape
from tasks.identity.actor import Actor
from tasks.models import Specialist
from tasks.services.specialists import LINES_LIMIT, delete_specialist, put_specialist


class SpecialistBody(Body):
    role_definition = Text()
    expertise = StringList(required=False, max_length=LINES_LIMIT)
    approach = StringList(required=False, max_length=LINES_LIMIT)
    output_format = Text(required=False)


class RolesAnswer(serializers.Serializer[Any]):
    """The specialists by name, and the problems of the project's files."""

    results = RoleShape(many=True)
    problems = serializers.ListField(child=serializers.CharField())


class SpecialistViews(ProjectApi):
    """Specialists by their name."""

    queryset = Specialist.objects.none()
    serializer_class = RoleShape
    pagination_class = None
    filter_backends = ()
    lookup_field = "name"
    lookup_value_regex = "[^/]+"
    scopes = {"update": Scope.ADMIN, "destroy": Scope.ADMIN}
    statuses = {"destroy": 204}
    answers = {"list": RolesAnswer}
    bodies = {"update": SpecialistBody}

    def list(self, request: Request, project: str) -> Response:
        """List the specialists in effect, with their sources."""
        catalogue = roles.catalogue(self.project(project))
        found = sorted(catalogue.roles.values(), key=lambda role: role.name)
        return Response(self.shape({"results": found, "problems": catalogue.problems}))

    def retrieve(self, request: Request, project: str, name: str) -> Response:
        """Read the specialist in effect."""
        known = roles.catalogue(self.project(project)).roles
        if name not in known:
            raise NotFound(f"No specialist {name[:64]!r}.", details={"allowed": sorted(known)})
        return self.shown(known[name])

    def update(self, request: Request, project: str, name: str) -> Response:
        """Create or replace a specialist of the project."""
        found = self.project(project)
        actor, guard = Actor.outside(self.principal), self.guard()
        given = self.given()
        return self.once(
            lambda: self.reply(put_specialist(project=found, actor=actor, name=name, guard=guard, **given)),
            project=found,
        )

    def destroy(self, request: Request, project: str, name: str) -> Response:
        """Delete a specialist of the project; the site's or the packaged one takes effect again."""
        found = self.project(project)
        actor, guard = Actor.outside(self.principal), self.guard()

        def produce() -> Reply:
            delete_specialist(project=found, actor=actor, name=name, guard=guard)
            return Reply(None, 204)

        return self.once(produce, project=found)
