"""The base of every view of the REST API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from django.db.models import Model, QuerySet
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from orchestrator_site.kernel.bodies import SMALL_BODY
from orchestrator_site.kernel.errors import Invalid, NotFound, invalid
from orchestrator_site.kernel.identity import Principal, Scope
from orchestrator_site.kernel.text import unstorable
from orchestrator_site.rest import etags, pagination
from orchestrator_site.rest.fields import Body
from orchestrator_site.rest.idempotency import Reply
from orchestrator_site.rest.query_params import ECHO_LIMIT, Parameter

Row = TypeVar("Row", bound=Model)


class MarkdownRenderer(BaseRenderer):
    """The report or the brief alone, for `Accept: text/markdown`."""

    media_type = "text/markdown"
    format = "md"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> str:
        return str(data.get("report") or data.get("brief", ""))


class Api(GenericViewSet[Any]):
    """A family of URLs. What each action takes and returns is in class attributes, which the OpenAPI document reads."""

    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    scopes: ClassVar[dict[str, Scope]] = {}
    """The scope of an action, where it is not `read` for reading and `write` for the rest."""
    bodies: ClassVar[dict[str, type[Body]]] = {}
    """The body of an action; without an entry, none."""
    answers: ClassVar[dict[str, type[BaseSerializer[Any]]]] = {}
    """The response of an action, where it is not `serializer_class`."""
    statuses: ClassVar[dict[str, int]] = {}
    """The status of a success, where it is not 200."""
    may_queue: ClassVar[tuple[str, ...]] = ()
    """The actions that answer 202 where the worker does them."""
    parameters: ClassVar[dict[str, tuple[Parameter, ...]]] = {}
    """Query parameters of an action, besides the filters and paging of `list`."""
    request_headers: ClassVar[dict[str, tuple[Parameter, ...]]] = {}
    response_headers: ClassVar[dict[str, tuple[Parameter, ...]]] = {}
    body_types: ClassVar[dict[str, str]] = {}
    """The media type of a body that is not JSON."""
    media_types: ClassVar[dict[str, str]] = {}
    """The media type of a response that is not JSON."""
    ranges: ClassVar[tuple[str, ...]] = ()
    """Actions that serve ranges of bytes."""
    limits: ClassVar[dict[str, int]] = {}
    """The largest body of an action in bytes, where it is not SMALL_BODY."""
    conditional: ClassVar[tuple[str, ...]] = ("update", "partial_update", "destroy")
    """Actions that check If-Match."""
    keyless: ClassVar[tuple[str, ...]] = ()
    """Writing actions that are idempotent by themselves and ignore the Idempotency-Key."""
    orderings: ClassVar[dict[str, str]] = {"created_at": "pk"}
    ordering: ClassVar[str] = "-created_at"

    @property
    def principal(self) -> Principal:
        principal: Principal = self.request.auth  # type: ignore[assignment]  # checked by the permission
        return principal

    @property
    def default_response_headers(self) -> dict[str, str]:
        """Keep shared caches from serving one caller's response to another."""
        headers = super().default_response_headers
        varies = ", ".join([*filter(None, [headers.get("Vary")]), "Authorization", "Cookie"])
        return {**headers, "Cache-Control": "private, no-cache", "Vary": varies}

    @property
    def action_name(self) -> str:
        return getattr(self, "action", None) or ""

    @property
    def body_limit(self) -> int:
        return self.limits.get(self.action_name, SMALL_BODY)

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        """Let a chunked body be read; the framework takes one without a length for empty."""
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            request.META["CONTENT_LENGTH"] = "-1"
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not self.action_name:
            return
        if any(unstorable(str(part)) for part in kwargs.values()):
            raise NotFound("No such URL.")
        self._check_parameters()
        is_read = request.method in ("GET", "HEAD")
        if "If-Match" in request.headers and not is_read and self.action_name not in self.conditional:
            raise Invalid("If-Match: not supported here.", next="Send it with PUT, PATCH or DELETE.")

    def headers_of(self, action: str, method: str) -> tuple[Parameter, ...]:
        return self.request_headers.get(action, ())

    def given(self) -> dict[str, Any]:
        """Return the checked body. Raises Invalid or the framework's ValidationError with every mistake."""
        if not hasattr(self, "_given"):
            body = self.bodies.get(self.action_name, Body)(data=self.request.data)
            try:
                body.is_valid(raise_exception=True)
            except RecursionError as error:
                raise Invalid("The body is nested too deeply.") from error
            self._given = dict(body.validated_data)
        return self._given

    def one(self, rows: QuerySet[Row], noun: str, value: str, *, field: str = "public_id", listed_at: str = "") -> Row:
        """Return the row that a URL names. Raises NotFound, which says where such rows are listed."""
        if found := rows.filter(**{field: value}).first():
            return found
        listed_at = listed_at or f"/api/v1/{noun}s"
        raise NotFound(f"No {noun} {value[:ECHO_LIMIT]!r}.", next=f"GET {listed_at} lists them.")

    def shape(self, thing: Any) -> Any:
        return self.get_serializer(thing).data

    def shown(self, thing: Any) -> Response:
        """Return one thing with its ETag, or 304 to a client that has it."""
        body = self.shape(thing)
        etag = etags.etag_of(body)
        if etags.is_known(self.request, etag):
            return Response(status=304, headers={"ETag": etag})
        return Response(body, headers={"ETag": etag})

    def reply(self, thing: Any, *, status: int = 200, location: str = "") -> Reply:
        body = self.shape(thing)
        headers = {"ETag": etags.etag_of(body), **({"Location": location} if location else {})}
        return Reply(body, status, headers)

    def guard(self) -> Callable[[Any], None] | None:
        """Return the check of If-Match, for a service to run on the locked row."""
        return etags.guard(self.request, self.shape)

    def listed(self, rows: QuerySet[Any]) -> Response:
        page = self.paginate_queryset(self.filter_queryset(rows))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return self.answers.get(self.action_name) or super().get_serializer_class()

    def _check_parameters(self) -> None:
        known = {parameter.name for parameter in self.parameters.get(self.action_name, ())}
        if self.action_name == "list":
            filters = getattr(self, "filterset_class", None)
            known |= {*pagination.PARAMETERS, *(filters.base_filters if filters else ())}
        unknown = [name for name in self.request.query_params if name not in known]
        wrong = [name for name, values in self.request.query_params.lists() if any(map(unstorable, values))]
        problems = [{"at": name, "problem": "unknown query parameter", "allowed": sorted(known)} for name in unknown]
        problems += [{"at": name, "problem": "contains characters that cannot be stored"} for name in wrong]
        if problems:
            raise invalid(problems, next="Omit these.")
