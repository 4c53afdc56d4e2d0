"""Conditional requests (RFC 9110, section 13): 304 for an unchanged read, 412 for an edit of what has changed."""

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

_VOLATILE = ("lease_expires_at", "used", "unused")
"""Every request of a lease's holder renews it, and each delivery counts contexts: no change to the task or context."""


def etag_of(body: Any) -> str:
    """Return the strong ETag of a representation, without its volatile fields."""
    lasting = {name: value for name, value in body.items() if name not in _VOLATILE} if isinstance(body, dict) else body
    digest = hashlib.sha256(json.dumps(lasting, sort_keys=True, default=str).encode()).hexdigest()
    return f'"{digest[:32]}"'


def is_known(request: HttpRequest | Request, etag: str) -> bool:
    header = request.headers.get("If-None-Match")
    if header is None:
        return False
    known = parse_etags(header)
    return "*" in known or etag in (each.removeprefix("W/") for each in known)


def guard(request: Request, shape: Callable[[Row], Any]) -> Callable[[Row], None] | None:
    """Return the check that a service runs on the locked row before it changes anything; None without If-Match.

    The check raises Stale where there is no row, or where the client named other representations.
    """
    header = request.headers.get("If-Match")
    if header is None:
        return None
    expected = parse_etags(header)
    if not expected:
        raise Invalid("If-Match: must be an ETag in quotes.", next="Send the ETag of the last GET.")

    def check(row: Row) -> None:
        if row is None or ("*" not in expected and etag_of(shape(row)) not in expected):
            raise Stale("It has changed since you read it.", next="Read it again before you change it.")

    return check
