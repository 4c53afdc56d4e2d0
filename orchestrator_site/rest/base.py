"""The base of every view of the REST API: it parses and shapes, and asks one service or query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from orchestrator_site.kernel.errors import Invalid, NotFound, invalid
from orchestrator_site.kernel.identity import Principal, Scope
from orchestrator_site.kernel.text import unstorable
from orchestrator_site.rest import etags, idempotency, pagination
from orchestrator_site.rest.fields import Body
from orchestrator_site.rest.idempotency import Reply
from orchestrator_site.rest.parsers import BODY_LIMIT
from tasks.identity.actor import Actor
from tasks.identity.client import Caller
from tasks.models import Project, Session
from tasks.services import sessions

SESSION_HEADER = "Session-Id"


class Api(GenericViewSet[Any]):
    """A family of addresses. What an action takes and answers stands in tables, for the OpenAPI document to read."""

    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    scopes: ClassVar[dict[str, Scope]] = {}
    """What an action needs, where it is not `read` for reading and `write` for the rest."""
    bodies: ClassVar[dict[str, type[Body]]] = {}
    """What an action takes; without an entry, nothing."""
    answers: ClassVar[dict[str, type[BaseSerializer[Any]]]] = {}
    """What an action answers, where it is not `serializer_class`."""
    statuses: ClassVar[dict[str, int]] = {}
    """The status that an action has when all went well, where it is not 200."""
    parameters: ClassVar[dict[str, tuple[str, ...]]] = {}
    """Names in the query that an action knows, besides those of filters and paging of `list`."""
    limits: ClassVar[dict[str, int]] = {}
    """Bytes that the body of an action may have, where it is not BODY_LIMIT."""
    conditional: ClassVar[tuple[str, ...]] = ("update", "partial_update", "destroy")
    """Actions that keep to If-Match."""
    keyless: ClassVar[tuple[str, ...]] = ()
    """Writing actions that are the same once or twice by themselves, and look at no Idempotency-Key."""
    orderings: ClassVar[dict[str, str]] = {"created_at": "pk"}
    ordering: ClassVar[str] = "-created_at"

    @property
    def principal(self) -> Principal:
        """Who the request proved to come from."""
        principal: Principal = self.request.auth  # type: ignore[assignment]  # the permission has looked
        return principal

    @property
    def default_response_headers(self) -> dict[str, str]:
        """Say who an answer is for: nobody else, and to be asked for again."""
        headers = super().default_response_headers
        varies = ", ".join([*filter(None, [headers.get("Vary")]), "Authorization", "Cookie"])
        return {**headers, "Cache-Control": "private, no-cache", "Vary": varies}

    @property
    def doing(self) -> str:
        """The action; empty where the method is none of this address."""
        return getattr(self, "action", None) or ""

    @property
    def body_limit(self) -> int:
        """Bytes that the body of this action may have."""
        return self.limits.get(self.doing, BODY_LIMIT)

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        """Let a body without a length be read; the framework would take it for none."""
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            request.META["CONTENT_LENGTH"] = "-1"
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check who asks, then the address and the headers, before anything of the action runs."""
        super().initial(request, *args, **kwargs)
        if not self.doing:
            return
        if any(unstorable(str(part)) for part in kwargs.values()):
            raise NotFound("There is nothing at this address.")
        self._check_parameters()
        if "If-Match" in request.headers and request.method not in ("GET", "HEAD"):
            self._check_condition()
        if request.method in ("GET", "HEAD") and (handle := request.headers.get(SESSION_HEADER)):
            self._touch(handle)

    def given(self) -> dict[str, Any]:
        """Return what the body says, checked.

        Raises Invalid or the framework's ValidationError with every mistake.
        """
        if not hasattr(self, "_given"):
            body = self.bodies.get(self.doing, Body)(data=self.request.data)
            try:
                body.is_valid(raise_exception=True)
            except RecursionError as error:
                raise Invalid("The body is nested too deeply.") from error
            self._given = dict(body.validated_data)
        return self._given

    def actor(self, project: Project) -> Actor:
        """Return who acts on a project: an assistant in its session there, or the person who signed in.

        Raises NotFound or Conflict for a session that is not this token's or not on this project.
        """
        if self.principal.token_id:
            return Caller(self.principal).on(project, self._handle())
        if self._handle():
            raise Invalid("session_id: a person who signed in acts outside any session.", next="Leave it out.")
        return Actor.outside(self.principal)

    def once(
        self, produce: Callable[[], Reply], *, project: Project | None, actor: Actor | None = None, **said: Any
    ) -> Response:
        """Do a write, once for each Idempotency-Key; `actor` is given where the answer is for its session alone.

        `said` stands in the fingerprint of the request for fields of the body that are too large for it.
        """
        holder = actor.session_id if actor else ""
        body = {**self.given(), **said}
        return idempotency.once(self.request, self.principal, produce, project=project, holder=holder, body=body)

    def shape(self, thing: Any) -> Any:
        """Return a thing as this action answers it, in plain types."""
        return self.get_serializer(thing).data

    def shown(self, thing: Any) -> Response:
        """Answer one thing with its ETag, or 304 to a client that has it."""
        body = self.shape(thing)
        etag = etags.etag_of(body)
        if etags.is_known(self.request, etag):
            return Response(status=304, headers={"ETag": etag})
        return Response(body, headers={"ETag": etag})

    def reply(self, thing: Any, *, status: int = 200, location: str = "") -> Reply:
        """Return the reply of a write that leaves this thing behind, with its ETag."""
        body = self.shape(thing)
        headers = {"ETag": etags.etag_of(body), **({"Location": location} if location else {})}
        return Reply(body, status, headers)

    def guard(self) -> Callable[[Any], None] | None:
        """Return what checks If-Match with the row locked; services of edits take it."""
        return etags.guard(self.request, self.shape)

    def listed(self, rows: QuerySet[Any]) -> Response:
        """Answer a page of rows, filtered and ordered as was asked."""
        page = self.paginate_queryset(self.filter_queryset(rows))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def visible(self, rows: QuerySet[Any], *, project: str = "project_id") -> QuerySet[Any]:
        """Leave out what belongs to other projects than the only one of a bound token."""
        only = self.principal.project_id
        return rows if only is None else rows.filter(**{project: only})

    def project(self, slug: str) -> Project:
        """Return a project that these credentials may see. Raises NotFound."""
        found: Project | None = self.visible(Project.objects.all(), project="pk").filter(slug=slug).first()
        if found is None:
            raise NotFound(f"There is no project {slug[:80]!r}.", next="GET /api/v1/projects lists them.")
        return found

    def project_said(self) -> Project:
        """Return the project that the body names; the only one of a bound token where it names none.

        Raises NotFound, or Invalid where none is told: it is never guessed.
        """
        slug = self.given().get("project")
        if slug is not None:
            return self.project(slug)
        if self.principal.project_id is None:
            raise invalid([{"at": "project", "problem": "is required: the slug of a project"}])
        return Project.objects.get(pk=self.principal.project_id)

    def reading_session(self, project: Project) -> Session | None:
        """Return the session that a reader is in: the one it names, else the one of its token's calls without a name.

        Raises NotFound or Conflict for a bad handle.
        """
        if not self.principal.token_id:
            return None
        handle = self.request.headers.get(SESSION_HEADER)
        return Caller(self.principal).seen_on(project, handle)

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        """Return what the action answers."""
        return self.answers.get(self.doing) or super().get_serializer_class()

    def _handle(self) -> str | None:
        """The session that the request names, in its header or its body."""
        header, said = self.request.headers.get(SESSION_HEADER), self.given().get("session_id")
        if header and said and header != said:
            raise Invalid(f"session_id: the header {SESSION_HEADER} names another one.", next="Send it once.")
        return said or header

    def _touch(self, handle: str) -> None:
        """A session that reads is alive too, and keeps what it holds."""
        if self.principal.token_id:
            sessions.touch(sessions.by_handle(handle, self.principal))

    def _check_parameters(self) -> None:
        known = set(self.parameters.get(self.doing, ()))
        if self.doing == "list":
            filters = getattr(self, "filterset_class", None)
            known |= {*pagination.PARAMETERS, *(filters.base_filters if filters else ())}
        unknown = [name for name in self.request.query_params if name not in known]
        wrong = [name for name, values in self.request.query_params.lists() if any(map(unstorable, values))]
        problems = [{"at": name, "problem": "is no parameter here", "allowed": sorted(known)} for name in unknown]
        problems += [{"at": name, "problem": "cannot be stored, so nothing is found by it"} for name in wrong]
        if problems:
            raise invalid(problems, next="Leave these out.")

    def _check_condition(self) -> None:
        if self.doing not in self.conditional:
            raise Invalid("If-Match: this address does not look at it.", next="Send it with PUT, PATCH or DELETE.")
