"""Cursor pagination that neither skips nor repeats rows while they change.

The framework's own cursors count offsets among rows of one value, and lose their place where thousands of tasks share
a priority; these hold the row's key as well.
"""

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

from orchestrator_site.kernel.errors import Invalid
from orchestrator_site.kernel.text import unstorable
from orchestrator_site.rest.query_params import IntegerParameter, require_choice

LIMIT_DEFAULT = 50
LIMIT = 100
PARAMETERS = ("cursor", "limit", "ordering")
PAGE_SIZE = IntegerParameter("limit", "How many rows.", least=1, most=LIMIT, default=LIMIT_DEFAULT)
_LONGEST = 500
_BIGGEST = 2**63


@dataclass(frozen=True, slots=True)
class _Place:
    """The row after which, or before which, a page begins."""

    backward: bool
    value: Any
    key: int


class CursorPaging(BasePagination):
    """Orders by one of `view.orderings` (name: column), by default `view.ordering`, then by the key."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return the rows of a page. Raises Invalid for a bad limit, ordering or cursor."""
        self._url = request.build_absolute_uri()
        limit = PAGE_SIZE.read(request) or LIMIT_DEFAULT
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
        before, after = self._link(self._previous, backward=True), self._link(self._next, backward=False)
        return Response({"next": after, "previous": before, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        properties = {"next": link, "previous": link, "results": schema}
        return {"type": "object", "required": list(properties), "properties": properties}

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        names = [sign + name for name in view.orderings for sign in ("", "-")]
        schemas = {
            "cursor": {"type": "string"},
            "limit": PAGE_SIZE.schema,
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
        # The first condition is implied, but lets the database use an index.
        return ordered.filter(Q(**{f"{self._column}__{after}e": place.value}), further | beside)

    def _link(self, row: Any, *, backward: bool) -> str | None:
        if row is None:
            return None
        value = getattr(row, self._column)
        plain = value.isoformat() if isinstance(value, datetime) else value
        packed = json.dumps([self._name, backward, plain, row.pk], separators=(",", ":")).encode()
        return replace_query_param(self._url, "cursor", urlsafe_b64encode(packed).decode().rstrip("="))


def _ordering_in(request: Request, view: Any) -> str:
    name = str(request.query_params.get("ordering", view.ordering))
    require_choice("ordering", name, [sign + name for name in view.orderings for sign in ("", "-")])
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
        value = _comparable(field.to_python(value))
    except (ValueError, TypeError, OverflowError, ValidationError, RecursionError) as error:
        raise Invalid(
            "cursor: invalid cursor.",
            next="Use the URLs in next and previous, or omit the cursor.",
        ) from error
    return _Place(backward, value, key)


def _comparable(value: Any) -> Any:
    """Return a value that the database can compare with. Raises ValueError or OverflowError for others."""
    if value is None or unstorable(str(value)) or (isinstance(value, int) and abs(value) >= _BIGGEST):
        raise ValueError
    return value.astimezone(UTC) if isinstance(value, datetime) else value
