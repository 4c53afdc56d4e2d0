"""/projects/{project}/recurring: templates on a schedule."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils import timezone
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator_site.kernel.errors import NotFound
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.rest.fields import Body, Boolean, Integer, String
from orchestrator_site.rest.idempotency import Reply
from tasks.api.base import ProjectApi
from tasks.api.plans import PlanAnswer, planned_reply
from tasks.identity.actor import Actor
from tasks.library.api.serializers import ValuesField
from tasks.library.models import Recurring
from tasks.library.selectors.recurring import next_times, recurring_of, zone_of
from tasks.library.services.recurring import create_recurring, delete_recurring, edit_recurring, plan_now


class RecurringEdit(Body):
    """What is omitted stays; a cron line replaces an interval, and the reverse."""

    name = String(required=False)
    template = String(required=False)
    parameters = ValuesField(required=False)
    cron = String(required=False)
    every_minutes = Integer(required=False, allow_null=True)
    is_on = Boolean(required=False)


class RecurringBody(RecurringEdit):
    """Either `cron`, in the project's time zone, or `every_minutes`; off unless `is_on` is true."""

    name = String()
    template = String()


class PlanNowBody(Body):
    session_id = String(required=False)


class RecurringShape(serializers.ModelSerializer[Recurring]):
    """A template on a schedule; there are no `next_times` while it is off, and `outcome` is what came of the last."""

    recurring_id = serializers.IntegerField(source="pk")
    time_zone = serializers.SerializerMethodField()
    next_times = serializers.SerializerMethodField()
    last_plan = serializers.CharField(source="last_plan.public_id", allow_null=True, default=None)
    parameters = ValuesField()

    class Meta:
        model = Recurring
        fields = (
            "recurring_id", "name", "template", "parameters", "cron", "every_minutes", "time_zone", "is_on",
            "next_times", "last_plan", "outcome", "changed_by", "changed_at",
        )  # fmt: skip

    def get_time_zone(self, row: Recurring) -> str:
        return zone_of(row.project)

    def get_next_times(self, row: Recurring) -> list[str]:
        return [time.isoformat() for time in next_times(row, timezone.now())] if row.is_on else []


class RecurringAnswer(serializers.Serializer[Any]):
    """The recurring plans by name."""

    results = RecurringShape(many=True)


class RecurringViews(ProjectApi):
    """Recurring plans by their id."""

    queryset = Recurring.objects.none()
    serializer_class = RecurringShape
    pagination_class = None
    filter_backends = ()
    lookup_field = "pk"
    lookup_url_kwarg = "recurring_id"
    lookup_value_regex = "[0-9]{1,15}"
    scopes = {"create": Scope.ADMIN, "partial_update": Scope.ADMIN, "destroy": Scope.ADMIN}
    statuses = {"create": 201, "destroy": 204, "plans": 201}
    answers = {"list": RecurringAnswer, "plans": PlanAnswer}
    bodies = {"create": RecurringBody, "partial_update": RecurringEdit, "plans": PlanNowBody}

    def list(self, request: Request, project: str) -> Response:
        """List the recurring plans of a project."""
        return Response(self.shape({"results": recurring_of(self.project(project))}))

    def retrieve(self, request: Request, project: str, recurring_id: str) -> Response:
        """Read a recurring plan."""
        return self.shown(self.found(project, recurring_id))

    def create(self, request: Request, project: str) -> Response:
        """Put a template on a schedule."""
        found, given, actor = self.project(project), self.given(), Actor.outside(self.principal)

        def produce() -> Reply:
            row = create_recurring(project=found, actor=actor, **given)
            return self.reply(row, status=201, location=reverse("api-recurring-detail", args=[project, row.pk]))

        return self.once(produce, project=found)

    def partial_update(self, request: Request, project: str, recurring_id: str) -> Response:
        """Change a recurring plan, or switch it on or off."""
        row, guard, given = self.found(project, recurring_id), self.guard(), self.given()
        actor = Actor.outside(self.principal)
        return self.once(
            lambda: self.reply(edit_recurring(recurring=row, actor=actor, columns=given, guard=guard)),
            project=row.project,
        )

    def destroy(self, request: Request, project: str, recurring_id: str) -> Response:
        """Delete a recurring plan; the plans that came of it stay."""
        row, guard, actor = self.found(project, recurring_id), self.guard(), Actor.outside(self.principal)

        def produce() -> Reply:
            delete_recurring(recurring=row, actor=actor, guard=guard)
            return Reply(None, 204)

        return self.once(produce, project=row.project)

    @action(detail=True, methods=["post"])
    def plans(self, request: Request, project: str, recurring_id: str) -> Response:
        """Plan it now, beside its turns."""
        row = self.found(project, recurring_id)
        actor = self.actor(row.project)

        def produce() -> Reply:
            return planned_reply(self, plan_now(recurring=row, actor=actor).plan, row.project)

        return self.once(produce, project=row.project)

    def found(self, project: str, recurring_id: str) -> Recurring:
        row = recurring_of(self.project(project)).filter(pk=int(recurring_id)).first()
        if row is None:
            raise NotFound(
                f"No recurring plan {recurring_id}.", next=f"GET /api/v1/projects/{project}/recurring lists them."
            )
        return row
