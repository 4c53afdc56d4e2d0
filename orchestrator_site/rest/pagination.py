"""Pages by a cursor: each begins at a row's place in the order, so nothing is skipped or told twice as rows change."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from orchestrator_site.kernel.errors import Invalid, invalid
from orchestrator_site.kernel.text import unstorable
from orchestrator_site.rest.query_params import whole_in

LIMIT_DEFAULT = 50
LIMIT = 100
PARAMETERS = ("cursor", "limit", "ordering")
_LONGEST = 500
_BIGGEST = 2**63


@dataclass(frozen=True, slots=True)
class _Place:
    """Between which rows a page begins: after the row with this value and key, or before it."""

    backward: bool
    value: Any
    key: int


class CursorPaging(BasePagination):
    """Orders by one of `view.orderings` (name: column), `view.ordering` where none is asked for, then by the key."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return the rows of the page that is asked for.

        Raises Invalid for a limit, an ordering or a cursor that cannot be.
        """
        self._url = request.build_absolute_uri()
        limit = whole_in(request, "limit", least=1, most=LIMIT) or LIMIT_DEFAULT
        self._name = _ordering_in(request, view)
        self._column = view.orderings[self._name.lstrip("-")]
        place = _place_in(request, self._name, queryset, self._column)
        backward = place is not None and place.backward
        rows = list(self._from(queryset, place)[: limit + 1])
        more = len(rows) > limit
        page = rows[:limit][::-1] if backward else rows[:limit]
        self._next = page[-1] if page and (more or backward) else None
        self._previous = page[0] if page and (more if backward else place is not None) else None
        return page

    def get_paginated_response(self, data: Any) -> Response:
        """Return the page with the addresses of its neighbours."""
        before, after = self._link(self._previous, backward=True), self._link(self._next, backward=False)
        return Response({"next": after, "previous": before, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe a page for the OpenAPI document."""
        link = {"type": ["string", "null"], "format": "uri"}
        properties = {"next": link, "previous": link, "results": schema}
        return {"type": "object", "required": list(properties), "properties": properties}

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Describe the parameters for the OpenAPI document."""
        names = [sign + name for name in view.orderings for sign in ("", "-")]
        schemas = {
            "cursor": {"type": "string"},
            "limit": {"type": "integer", "minimum": 1, "maximum": LIMIT, "default": LIMIT_DEFAULT},
            "ordering": {"type": "string", "enum": names, "default": view.ordering},
        }
        return [{"name": name, "required": False, "in": "query", "schema": schema} for name, schema in schemas.items()]

    def _from(self, queryset: QuerySet[Any], place: _Place | None) -> QuerySet[Any]:
        descending = self._name.startswith("-") != (place is not None and place.backward)
        sign, after = ("-", "lt") if descending else ("", "gt")
        columns = [self._column, "pk"] if self._column != "pk" else ["pk"]
        ordered = queryset.order_by(*(sign + column for column in columns))
        if place is None:
            return ordered
        if self._column == "pk":
            return ordered.filter(**{f"pk__{after}": place.key})
        further = Q(**{f"{self._column}__{after}": place.value})
        beside = Q(**{self._column: place.value, f"pk__{after}": place.key})
        # The first condition says nothing new, but an index can be walked by it.
        return ordered.filter(Q(**{f"{self._column}__{after}e": place.value}), further | beside)

    def _link(self, row: Any, *, backward: bool) -> str | None:
        if row is None:
            return None
        value = getattr(row, self._column)
        told = value.isoformat() if isinstance(value, datetime) else value
        packed = json.dumps([self._name, backward, told, row.pk], separators=(",", ":")).encode()
        return replace_query_param(self._url, "cursor", urlsafe_b64encode(packed).decode().rstrip("="))


def _ordering_in(request: Request, view: Any) -> str:
    name = str(request.query_params.get("ordering", view.ordering))
    if name.removeprefix("-") not in view.orderings:
        names = [sign + name for name in view.orderings for sign in ("", "-")]
        raise invalid([{"at": "ordering", "problem": f"{name[:80]!r} is not known", "allowed": names}])
    return name


def _place_in(request: Request, name: str, queryset: QuerySet[Any], column: str) -> _Place | None:
    cursor = request.query_params.get("cursor")
    if cursor is None:
        return None
    try:
        if len(cursor) > _LONGEST:
            raise ValueError
        ordering, backward, value, key = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if ordering != name or not isinstance(backward, bool) or type(key) is not int or abs(key) >= _BIGGEST:
            raise ValueError
        field = queryset.model._meta.pk if column == "pk" else queryset.model._meta.get_field(column)
        value = _askable(field.to_python(value))
    except (ValueError, TypeError, OverflowError, ValidationError, RecursionError) as error:
        raise Invalid(
            "cursor: this is no cursor of this list.",
            next="Follow next and previous as they were answered, or leave the cursor out.",
        ) from error
    return _Place(backward, value, key)


def _askable(value: Any) -> Any:
    """Return a value that the database can compare with; another is a ValueError or an OverflowError."""
    if value is None or unstorable(str(value)) or (isinstance(value, int) and abs(value) >= _BIGGEST):
        raise ValueError
    return value.astimezone(UTC) if isinstance(value, datetime) else value
