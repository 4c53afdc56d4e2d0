"""Writes that happen once: the `Idempotency-Key` header (IETF draft-ietf-httpapi-idempotency-key-header)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator_site.kernel.errors import Invalid
from orchestrator_site.kernel.identity import Principal
from tasks.models import Project
from tasks.services.idempotency import KEY_LIMIT, run_once

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
HANDLES = ("session_id",)
"""Fields that say who sends a request and not what it asks for."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a write answers: the body in plain types, the status, and headers such as ETag and Location."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


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
            f"{HEADER}: 1 to {KEY_LIMIT} printable ASCII characters are wanted.",
            next="Use a fresh UUID for every new request, and the same one to send it again.",
        )
    return key


def once(
    request: Request,
    principal: Principal,
    produce: Callable[[], Reply],
    *,
    project: Project | None,
    holder: str = "",
    body: dict[str, Any],
) -> Response:
    """Answer what `produce` replies, or what it replied when this key was first used.

    A key belongs to the credentials that it came with; where `holder` names a session, to that session, because what
    it was given is nobody else's. A key that comes with another method, address or body is refused.

    Raises Conflict for that, Invalid for a malformed key, and whatever `produce` raises.
    """
    said = {name: value for name, value in body.items() if name not in HANDLES}
    kept = run_once(
        project=project,
        operation=f"rest {principal.token_id or principal.user_id} {holder}".rstrip(),
        key=key_in(request),
        request={"method": request.method, "address": request.get_full_path(), "body": said},
        produce=lambda: _kept(produce()),
    )
    headers = {**kept["headers"], **({REPLAYED: "true"} if kept.get("replayed") else {})}
    return Response(kept["body"], status=kept["status"], headers=headers)


def _kept(reply: Reply) -> dict[str, Any]:
    return {"status": reply.status, "body": reply.body, "headers": reply.headers}
