"""Every error of the REST API as a problem (RFC 9457): our hierarchy, the framework's, and what nobody expected."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.utils.encoding import escape_uri_path
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions

from orchestrator_site.kernel.db_errors import REFUSALS, busy
from orchestrator_site.kernel.errors import (
    Forbidden,
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
"""What a problem's type begins with; the address of each explains it."""
TITLES = {
    "invalid": "The request is wrong",
    "not_found": "There is no such thing",
    "conflict": "The thing is in another state",
    "not_ready": "Its time has not come",
    "too_large": "More than one request may carry",
    "forbidden": "This may not be done with these credentials",
    "transient": "A passing failure",
}
ADDRESSES = {
    "execute_subtask without task_id": "POST /api/v1/projects/{project}/claim-next",
    "get_status with its task_id": "GET /api/v1/tasks/{task_id}",
    "initialize_session": "POST /api/v1/sessions",
    "plan_task": "POST /api/v1/plans",
    "execute_subtask": "POST /api/v1/tasks/{task_id}/claim",
    "complete_subtask": "POST /api/v1/tasks/{task_id}/complete",
    "synthesize_results": "GET /api/v1/tasks/{task_id}/synthesis",
    "get_status": "GET /api/v1/projects/{project}/status",
    "update_task": "PATCH /api/v1/tasks/{task_id} or one of its actions",
    "store_artifact": "/api/v1/uploads",
    "read_artifact": "GET /api/v1/artifacts/{artifact_id}/content",
}
"""What stands over HTTP for the tools that services name in their advice."""
_TOOL = re.compile(rf"orchestrator_({'|'.join(ADDRESSES)})")
_CALL = re.compile(r"orchestrator_(read_artifact|synthesize_results)\(\w+='(\w+)'\)")
_ALLOWED = "allowed\n"


class Refusal(exceptions.APIException):
    """Credentials that do not open anything, with the headers that say how to do better."""

    def __init__(self, message: str, *, status: int, headers: dict[str, str]) -> None:
        super().__init__(message)
        self.status_code = status
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Problem:
    """An error, the status that it has over HTTP, and headers that belong to it."""

    error: OrchestratorError
    status: int
    headers: dict[str, str] = field(default_factory=dict)

    def response(self, request: HttpRequest) -> HttpResponse:
        """Return it as an answer to a request."""
        error = self.error
        details = dict(error.details)
        facts: dict[str, Any] = {
            "type": f"{TYPE}{error.code}",
            "title": TITLES[error.code],
            "status": self.status,
            "detail": in_rest_words(error.message),
            "instance": escape_uri_path(request.path),
            "code": error.code,
            "next": in_rest_words(error.next),
            "problems": details.pop("problems", None),
            "details": details,
        }
        body = json.dumps({name: fact for name, fact in facts.items() if fact}, ensure_ascii=False, default=str)
        return HttpResponse(body, status=self.status, content_type=MEDIA_TYPE, headers=self.headers)


def allowed(text: str, names: Any) -> exceptions.ErrorDetail:
    """Return a validation error that says what is allowed. The framework keeps nothing of it but a text and a code."""
    return exceptions.ErrorDetail(text, code=_ALLOWED + "\n".join(sorted(map(str, names))))


def in_rest_words(text: str) -> str:
    """Name addresses where a service names tools."""
    return _TOOL.sub(lambda found: ADDRESSES[found.group(1)], text)


def with_addresses(brief: str) -> str:
    """Name the address where a brief tells which call reads earlier work; every other word is the task's own."""
    return _CALL.sub(lambda found: re.sub(r"{\w+}", found[2], ADDRESSES[found[1]]), brief)


def handler(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """Answer whatever a view raised."""
    return understood(error).response(context["request"])


@csrf_exempt
def unknown_address(request: HttpRequest, **_: Any) -> HttpResponse:
    """Answer for every address of the API that nothing is at."""
    return understood(Http404()).response(request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what reached no view, such as a wrong Host: a problem to clients of the API, a page to people."""
    if request.path.startswith("/api/"):
        return understood(exception).response(request)
    return defaults.bad_request(request, exception)


def understood(error: Exception) -> Problem:
    """Return what an exception is for the caller; what is nobody's fault but ours is logged and tells nothing."""
    if isinstance(error, OrchestratorError):
        return Problem(error, error.status, _retry_after(error))
    for kind, made in _KINDS.items():
        if isinstance(error, kind):
            return made(error)
    logger.error("A request to the REST API failed.", exc_info=error)
    return Problem(_broken(), 500)


def _retry_after(error: OrchestratorError) -> dict[str, str]:
    return {"Retry-After": str(-(-error.retry_after_ms // 1000))} if isinstance(error, Transient) else {}


def _invalid_fields(error: Any) -> Problem:
    found = list(_problems(error.detail))
    return Problem(invalid(found, next="Nothing was changed. Mend the request and send it again."), 400)


def _problems(detail: Any, at: str = "") -> Iterator[dict[str, Any]]:
    """Flatten the framework's nested errors into places and sentences."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            place = f"[{name}]" if isinstance(name, int) else f".{name}"
            yield from _problems(inner, at if name == "non_field_errors" else f"{at}{place}".lstrip("."))
    elif isinstance(detail, list):
        for number, inner in enumerate(detail):
            yield from _problems(inner, f"{at}[{number}]" if isinstance(inner, dict | list) else at)
    else:
        yield {"at": at, "problem": str(detail), **_what_is_allowed(detail)}


def _what_is_allowed(detail: Any) -> dict[str, list[str]]:
    code = str(getattr(detail, "code", ""))
    return {"allowed": code.removeprefix(_ALLOWED).split("\n")} if code.startswith(_ALLOWED) else {}


def _refusal(error: Any) -> Problem:
    return Problem(Forbidden(str(error.detail)), error.status_code, error.headers)


def _no_credentials(error: Any) -> Problem:
    message = "Credentials are needed: send Authorization: Bearer TOKEN, or sign in."
    return Problem(Forbidden(message), 401, {"WWW-Authenticate": 'Bearer realm="task-orchestrator"'})


def _forbidden(error: Any) -> Problem:
    return Problem(Forbidden(str(error) or "This may not be done."), 403)


def _nothing_there(error: Any) -> Problem:
    return Problem(NotFound("There is nothing at this address.", next="GET /api/v1/ lists the addresses."), 404)


def _of_the_framework(error: Any) -> Problem:
    """Method, media type, syntax: the framework's sentence is good enough."""
    return Problem(Invalid(str(error.detail)), error.status_code)


def _too_large(error: Any) -> Problem:
    return Problem(TooLarge("The body is larger than this address takes."), 413)


def _unreadable(error: Any) -> Problem:
    return Problem(Invalid("The request cannot be read."), 400)


def _busy(error: Any) -> Problem:
    logger.error("The database refused a request to the REST API.", exc_info=error)
    transient = busy()
    return Problem(transient, transient.status, _retry_after(transient))


def _broken() -> Transient:
    return Transient(
        "The server failed.",
        retry_after_ms=5000,
        next="Look whether it was done before you send it again; with an Idempotency-Key it is done once. "
        "If it fails again, the reason is in the server's log.",
    )


_KINDS: dict[type[Exception], Callable[[Any], Problem]] = {
    Refusal: _refusal,
    exceptions.ValidationError: _invalid_fields,
    exceptions.NotAuthenticated: _no_credentials,
    exceptions.PermissionDenied: _forbidden,
    exceptions.NotFound: _nothing_there,
    exceptions.APIException: _of_the_framework,
    Http404: _nothing_there,
    PermissionDenied: _forbidden,
    RequestDataTooBig: _too_large,
    SuspiciousOperation: _unreadable,
    UnreadablePostError: _unreadable,
    **dict.fromkeys(REFUSALS, _busy),
}
"""The first that fits is taken, so the special ones come before the general."""
