"""Writes that happen once: the `Idempotency-Key` header (IETF draft-ietf-httpapi-idempotency-key-header)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator_site.kernel.errors import Invalid
from orchestrator_site.kernel.identity import Principal
from orchestrator_site.kernel.limits import KEY_LIMIT

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
HANDLES = ("session_id",)
"""Fields that say who sends a request and not what it asks for."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The response of a write: a body in plain types, the status, and headers such as ETag and Location."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class RunOnce(Protocol):
    """Runs `produce` once for each key, and returns what it returned the first time."""

    def __call__(
        self, *, operation: str, key: str | None, request: dict[str, Any], produce: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]: ...


def key_in(request: Request) -> str | None:
    """Return the key of a request, bare or as the quoted string of the draft; None where none was sent.

    Raises Invalid for one that is malformed.
    """
    header = request.headers.get(HEADER)
    if header is None:
        return None
    key = header.strip()
    if key.startswith('"'):
        key = key[1:-1] if len(key) > 1 and key.endswith('"') else ""
    if not key.strip() or len(key) > KEY_LIMIT or not (key.isascii() and key.isprintable()) or '"' in key:
        raise Invalid(
            f"{HEADER}: must have 1 to {KEY_LIMIT} printable ASCII characters.",
            next="Use a new UUID for every new request, and the same one to retry it.",
        )
    return key


def once(
    request: Request,
    principal: Principal,
    produce: Callable[[], Reply],
    *,
    run_once: RunOnce,
    holder: str = "",
    body: dict[str, Any],
) -> Response:
    """Return what `produce` returns, or what it returned when this key was first used.

    A key belongs to its credentials, and where `holder` names a session, to that session. It is refused with another
    method, URL or body.

    Raises Conflict for that, Invalid for a malformed key, and whatever `produce` raises.
    """

    def kept_reply() -> dict[str, Any]:
        reply = produce()
        return {"status": reply.status, "body": reply.body, "headers": reply.headers}

    kept = run_once(
        operation=f"rest {principal.token_id or principal.user_id} {holder}".rstrip(),
        key=key_in(request),
        request={
            "method": request.method,
            "url": request.get_full_path(),
            "body": {name: value for name, value in body.items() if name not in HANDLES},
        },
        produce=kept_reply,
    )
    headers = {**kept["headers"], **({REPLAYED: "true"} if kept.get("replayed") else {})}
    return Response(kept["body"], status=kept["status"], headers=headers)
