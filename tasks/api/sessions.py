"""/sessions: list them, open one, and end it."""

from __future__ import annotations

from django.db.models import QuerySet
from django.urls import reverse
from django_filters import rest_framework as filters
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator_site.kernel.errors import Invalid
from orchestrator_site.rest.fields import Body, String
from orchestrator_site.rest.filters import BooleanFilter, Filters
from orchestrator_site.rest.idempotency import Reply
from tasks.api.base import ProjectApi
from tasks.api.serializers import SessionShape
from tasks.models import Session
from tasks.services.caller import Caller
from tasks.services.sessions import declare_model, end_session

NAME_LIMIT, VERSION_LIMIT = 200, 100


class SessionBody(Body):
    """`client_name` is shown as the holder of leases. A bound token may omit `project`."""

    project = String(required=False, help_text="Of one project, by its slug.")
    client_name = String(required=False, max_length=NAME_LIMIT)
    client_version = String(required=False, max_length=VERSION_LIMIT)
    model = String(required=False, max_length=VERSION_LIMIT, help_text="The language model.")


class SessionFilters(Filters):
    project = filters.CharFilter(field_name="project__slug", help_text="Of one project, by its slug.")
    open = BooleanFilter(
        field_name="ended_at", lookup_expr="isnull", help_text="Open sessions (`true`), or ended ones (`false`)."
    )


class SessionViews(ProjectApi):
    """Sessions by their handle."""

    queryset = Session.objects.all()
    serializer_class = SessionShape
    filterset_class = SessionFilters
    lookup_field = "public_id"
    lookup_url_kwarg = "session_id"
    lookup_value_regex = "[^/]+"
    statuses = {"create": 201}
    bodies = {"create": SessionBody}
    orderings = {"started_at": "pk", "last_seen_at": "last_seen_at"}
    ordering = "-started_at"

    def list(self, request: Request) -> Response:
        """List sessions."""
        return self.listed(self._rows())

    def retrieve(self, request: Request, session_id: str) -> Response:
        """Read a session."""
        return self.shown(self._session(session_id))

    def create(self, request: Request) -> Response:
        """Open a new session of this token."""
        if not self.principal.token_id:
            raise Invalid("A person who signed in has no session.", next="Use an access token.")
        project = self.project_said()
        given = self.given()
        caller = Caller(
            self.principal, client_name=given.get("client_name", ""), client_version=given.get("client_version", "")
        )

        def produce() -> Reply:
            session = caller.open_on(project)
            declare_model(session, given.get("model", ""))
            url = reverse("api-session-detail", args=[session.public_id])
            return self.reply(self._session(session.public_id), status=201, location=url)

        return self.once(produce, project=project)

    @action(detail=True, methods=["post"])
    def end(self, request: Request, session_id: str) -> Response:
        """End a session and its leases."""
        session = self._session(session_id)

        def produce() -> Reply:
            end_session(session=session, principal=self.principal)
            return self.reply(self._session(session_id))

        return self.once(produce, project=session.project)

    def _rows(self) -> QuerySet[Session]:
        return self.visible(Session.objects.select_related("project"))

    def _session(self, session_id: str) -> Session:
        return self.one(self._rows(), "session", session_id)
