"""Conditional requests (RFC 9110, section 13): 304 for what the client has, 412 for an edit of what has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, TypeVar

from django.http import HttpRequest
from django.utils.http import parse_etags
from rest_framework.request import Request

from orchestrator_site.kernel.errors import Invalid, Stale

Row = TypeVar("Row")


_MOVING = ("lease_expires_at",)
"""What every request of a lease's holder moves on, without anybody having changed anything."""


def etag_of(body: Any) -> str:
    """Return the strong ETag of a representation, but for what moves by itself."""
    lasting = {name: value for name, value in body.items() if name not in _MOVING} if isinstance(body, dict) else body
    digest = hashlib.sha256(json.dumps(lasting, sort_keys=True, default=str).encode()).hexdigest()
    return f'"{digest[:32]}"'


def is_known(request: HttpRequest | Request, etag: str) -> bool:
    """Whether the client says (If-None-Match) that it has this representation."""
    header = request.headers.get("If-None-Match")
    if header is None:
        return False
    known = parse_etags(header)
    return "*" in known or etag in (each.removeprefix("W/") for each in known)


def guard(request: Request, shape: Callable[[Row], Any]) -> Callable[[Row], None] | None:
    """Return what a service asks with the row locked, before it changes anything; None without If-Match.

    It raises Stale where there is no row, or where its representation is none of those that the client named.
    """
    header = request.headers.get("If-Match")
    if header is None:
        return None
    wanted = parse_etags(header)
    if not wanted:
        raise Invalid("If-Match: an ETag in quotes is wanted.", next="Send the ETag that the last GET answered.")

    def check(row: Row) -> None:
        if row is None or ("*" not in wanted and etag_of(shape(row)) not in wanted):
            raise Stale("It has changed since you read it.", next="Read it again and decide anew.")

    return check
