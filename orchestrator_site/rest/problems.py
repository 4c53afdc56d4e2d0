"""Every error of the REST API as a problem (RFC 9457): ours, the framework's, and unexpected ones."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.urls import resolve
from django.utils.encoding import escape_uri_path
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions

from orchestrator_site.kernel.db_errors import error_for
from orchestrator_site.kernel.errors import (
    Forbidden,
    Hint,
    Invalid,
    NotFound,
    OrchestratorError,
    TooLarge,
    Transient,
    invalid,
)

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE = "/api/v1/problems/"
"""The start of a problem's type, which is the URL that explains it."""
TITLES = {
    "invalid": "Invalid request",
    "not_found": "Not found",
    "conflict": "Conflict",
    "not_ready": "Not ready",
    "too_large": "Too large",
    "forbidden": "Forbidden",
    "transient": "Temporary failure",
    "unavailable": "Out of service",
}
HINTS: dict[Hint, str] = {
    Hint.NAME_PROJECT: "Open a session: POST /api/v1/sessions with the slug of a project.",
    Hint.OPEN_SESSION: "Open one: POST /api/v1/sessions.",
    Hint.PLAN: "Plan the job: POST /api/v1/plans.",
    Hint.CLAIM_NEXT: "Take another task: POST /api/v1/projects/{project}/claim-next.",
    Hint.CLAIM_NEXT_OR_TAKE_OVER: "Take another task: POST /api/v1/projects/{project}/claim-next. Only if that session "
    "is gone, claim this one with take_over.",
    Hint.FINISH_YOURS: "Finish it: POST /api/v1/tasks/{task_id}/complete, or release.",
    Hint.FREE_RESOURCE: "You hold it alone: DELETE /api/v1/projects/{project}/resources/{name}/holds/{number}.",
    Hint.ANY_SPECIALIST: "Omit specialist_type.",
    Hint.WAIT: "Try again later.",
    Hint.SEE_TASK: "See GET /api/v1/tasks/{task_id}.",
    Hint.LIST_TASKS: "GET /api/v1/tasks lists the tasks; filter them by status.",
    Hint.REMOVE_DEPENDENCY: "Remove the dependency: DELETE /api/v1/tasks/{task_id}/dependencies/{needed_id}.",
    Hint.RETRY_OR_UNBLOCK: "Retry or unblock it: POST /api/v1/tasks/{task_id}/retry or unblock.",
    Hint.APPROVE: "Approve it: POST /api/v1/tasks/{task_id}/approve.",
    Hint.SYNTHESIZE: "GET /api/v1/plans/{task_id}/synthesis, or plan more: POST /api/v1/plans.",
    Hint.LIST_ARTIFACTS: "GET /api/v1/artifacts lists them.",
    Hint.LIST_UPLOADS: "GET /api/v1/uploads lists the open ones.",
    Hint.UPLOAD: "Send it in parts to POST /api/v1/uploads, then complete with its upload_ids.",
}
"""The requests to send, in the words of an API client."""
_ALLOWED = "allowed\n"


class CredentialsError(exceptions.APIException):
    """Credentials that were refused, with the headers that go with it."""

    def __init__(self, message: str, *, status: int, headers: dict[str, str]) -> None:
        super().__init__(message)
        self.status_code = status
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Problem:
    error: OrchestratorError
    status: int
    headers: dict[str, str] = field(default_factory=dict)

    def response(self, request: HttpRequest) -> HttpResponse:
        error = self.error
        details = dict(error.details)
        facts: dict[str, Any] = {
            "type": f"{TYPE}{error.code}",
            "title": TITLES[error.code],
            "status": self.status,
            "detail": error.message,
            "instance": escape_uri_path(request.path),
            "code": error.code,
            "next": error.advice(HINTS),
            "hint": error.hint,
            "problems": details.pop("problems", None),
            "details": details,
        }
        body = json.dumps({name: fact for name, fact in facts.items() if fact}, ensure_ascii=False, default=str)
        return HttpResponse(body, status=self.status, content_type=MEDIA_TYPE, headers=self.headers)


def allowed(text: str, names: Any) -> exceptions.ErrorDetail:
    """Return a validation error that names what is allowed; in its code, since the framework keeps nothing else."""
    return exceptions.ErrorDetail(text, code=_ALLOWED + "\n".join(sorted(map(str, names))))


def handler(error: Exception, context: dict[str, Any]) -> HttpResponse:
    return understood(error).response(context["request"])


@csrf_exempt
def unknown_address(request: HttpRequest, **_: Any) -> HttpResponse:
    """Say what is meant by an address that only has a slash too many."""
    address = request.path.rstrip("/")
    is_known = address != request.path and resolve(address).func is not unknown_address
    error = NotFound("No such URL.", next=f"Omit the slash at its end: {address}") if is_known else Http404()
    return understood(error).response(request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Respond to a request that reached no view, such as one with a wrong Host: to API clients by a problem."""
    if request.path.startswith("/api/"):
        return understood(exception).response(request)
    return defaults.bad_request(request, exception)


def understood(error: Exception) -> Problem:
    """Map an exception to a problem; an unexpected one is logged and hides its text."""
    match error:
        case OrchestratorError():
            return Problem(error, error.status, _retry_after(error))
        case CredentialsError():
            return Problem(Forbidden(str(error.detail)), error.status_code, error.headers)
        case exceptions.ValidationError():
            found = list(_problems(error.detail))
            return Problem(invalid(found, next="Fix the request and retry."), 400)
        case exceptions.NotAuthenticated():
            message = "Authentication required: send Authorization: Bearer TOKEN, or sign in."
            return Problem(Forbidden(message), 401, {"WWW-Authenticate": 'Bearer realm="task-orchestrator"'})
        case exceptions.PermissionDenied() | PermissionDenied():
            return Problem(Forbidden(str(error) or "Forbidden."), 403)
        case exceptions.NotFound() | Http404():
            return Problem(NotFound("No such URL.", next="GET /api/v1/ lists the resources."), 404)
        case exceptions.APIException():
            return Problem(Invalid(str(error.detail)), error.status_code)
        case RequestDataTooBig():
            return Problem(TooLarge("The body is too large."), 413)
        case SuspiciousOperation() | UnreadablePostError():
            return Problem(Invalid("The request cannot be read."), 400)
    if shown := error_for(error):
        logger.error("The database refused a request to the REST API.", exc_info=error)
        return Problem(shown, shown.status, _retry_after(shown))
    logger.error("A request to the REST API failed.", exc_info=error)
    broken = Transient(
        "The server failed.",
        retry_after_ms=5000,
        next="Check whether it was done, or retry with an Idempotency-Key, which is safe. "
        "If it fails again, see the server's log.",
    )
    return Problem(broken, 500)


def _retry_after(error: OrchestratorError) -> dict[str, str]:
    return {"Retry-After": str(-(-error.retry_after_ms // 1000))} if isinstance(error, Transient) else {}


def _problems(detail: Any, at: str = "") -> Iterator[dict[str, Any]]:
    if isinstance(detail, dict):
        for name, inner in detail.items():
            place = f"[{name}]" if isinstance(name, int) else f".{name}"
            yield from _problems(inner, at if name == "non_field_errors" else f"{at}{place}".lstrip("."))
    elif isinstance(detail, list):
        for number, inner in enumerate(detail):
            yield from _problems(inner, f"{at}[{number}]" if isinstance(inner, dict | list) else at)
    else:
        code = str(getattr(detail, "code", ""))
        names = {"allowed": code.removeprefix(_ALLOWED).split("\n")} if code.startswith(_ALLOWED) else {}
        yield {"at": at, "problem": str(detail), **names}
