"""/projects/{project}/resources: what only so many may use at a time, and who holds it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator_site.kernel.identity import Scope
from orchestrator_site.rest.fields import Body, Integer, String
from orchestrator_site.rest.idempotency import Reply
from tasks.api.base import SESSION, ProjectApi
from tasks.api.verbs import PlainBody
from tasks.identity.actor import Actor
from tasks.models import Resource, ResourceHold
from tasks.selectors.resources import resource_named, resources_of
from tasks.services.resources import (
    CAPACITY_LIMIT,
    TITLE_LIMIT,
    delete_resource,
    hold,
    let_go,
    put_resource,
)


class ResourceBody(Body):
    title = String(required=False, max_length=TITLE_LIMIT)
    capacity = Integer(required=False, min_value=1, max_value=CAPACITY_LIMIT)


class HoldShape(serializers.ModelSerializer[ResourceHold]):
    """A hold of a resource; one with a task ends with the lease of that task."""

    task_id = serializers.CharField(source="task.public_id", allow_null=True)
    lease_expires_at = serializers.DateTimeField(source="until", allow_null=True)

    class Meta:
        model = ResourceHold
        fields = ("number", "holder", "task_id", "lease_expires_at", "created_at")


class ResourceShape(serializers.ModelSerializer[Resource]):
    """A resource; `held` of its `capacity` are taken."""

    holds = HoldShape(many=True)

    class Meta:
        model = Resource
        fields = ("name", "title", "capacity", "held", "last_number", "created_at", "holds")


class ResourcesAnswer(serializers.Serializer[Any]):
    """The resources by name."""

    results = ResourceShape(many=True)


class ResourceViews(ProjectApi):
    """Resources by their name."""

    queryset = Resource.objects.none()
    serializer_class = ResourceShape
    pagination_class = None
    filter_backends = ()
    lookup_field = "name"
    lookup_value_regex = "[^/]+"
    scopes = {"update": Scope.ADMIN, "destroy": Scope.ADMIN}
    statuses = {"destroy": 204}
    answers = {"list": ResourcesAnswer}
    bodies = {"update": ResourceBody}

    def list(self, request: Request, project: str) -> Response:
        """List the resources of a project, with who holds them."""
        return Response(self.shape({"results": resources_of(self.project(project))}))

    def retrieve(self, request: Request, project: str, name: str) -> Response:
        """Read a resource, with who holds it."""
        return self.shown(resource_named(self.project(project), name))

    def update(self, request: Request, project: str, name: str) -> Response:
        """Create or replace a resource."""
        found = self.project(project)
        actor, guard, given = Actor.outside(self.principal), self.guard(), self.given()
        return self.once(
            lambda: self.reply(put_resource(project=found, actor=actor, name=name, guard=guard, **given)),
            project=found,
        )

    def destroy(self, request: Request, project: str, name: str) -> Response:
        """Delete a resource that no one holds and no unfinished task needs."""
        found = self.project(project)
        actor, guard = Actor.outside(self.principal), self.guard()

        def produce() -> Reply:
            delete_resource(project=found, actor=actor, name=name, guard=guard)
            return Reply(None, 204)

        return self.once(produce, project=found)


class HoldViews(ProjectApi):
    """Holds of a resource without a task, by their number."""

    queryset = ResourceHold.objects.none()
    serializer_class = HoldShape
    lookup_field = "number"
    lookup_value_regex = "[0-9]{1,10}"
    statuses = {"create": 201, "destroy": 204}
    bodies = {"create": PlainBody}
    conditional = ()
    request_headers = {"destroy": (SESSION,)}

    def create(self, request: Request, project: str, name: str) -> Response:
        """Hold a resource without a task, or renew the hold."""
        found = self.project(project)
        actor = self.actor(found)
        return self.once(
            lambda: Reply(self.shape(hold(project=found, actor=actor, name=name)), 201), project=found, actor=actor
        )

    def destroy(self, request: Request, project: str, name: str, number: str) -> Response:
        """Give back a hold; a reviewer may free another's."""
        found = self.project(project)
        actor = self.actor(found)

        def produce() -> Reply:
            let_go(project=found, actor=actor, name=name, number=int(number))
            return Reply(None, 204)

        return self.once(produce, project=found)
