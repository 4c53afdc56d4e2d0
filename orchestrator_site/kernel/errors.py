"""The one error hierarchy: what went wrong, why, and what to do next.

Services raise these for whatever a caller can fix. Each entry point maps them once: to an MCP tool result with
`isError`, to an RFC 9457 problem, to a page. A message is for the caller: it never holds a server path, SQL, a secret
or a destructive command.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar

from orchestrator_site.kernel.commits import unchanged

# An error stays small, however large the call that caused it: characters of a place or a sentence, of an allowed
# value, how many of those, and bytes of all problems together.
_TEXT_LIMIT = 300
_ALLOWED_TEXT_LIMIT = 40
_ALLOWED_LIMIT = 30
_BUDGET = 1500


class Hint(StrEnum):
    """The next step, as a code: every entry point words it in its own terms, or leaves it out."""

    NAME_PROJECT = "name_project"
    OPEN_SESSION = "open_session"
    PLAN = "plan"
    CLAIM_NEXT = "claim_next"
    CLAIM_NEXT_OR_TAKE_OVER = "claim_next_or_take_over"
    FINISH_YOURS = "finish_yours"
    FREE_RESOURCE = "free_resource"
    ANY_SPECIALIST = "any_specialist"
    WAIT = "wait"
    SEE_TASK = "see_task"
    LIST_TASKS = "list_tasks"
    REMOVE_DEPENDENCY = "remove_dependency"
    RETRY_OR_UNBLOCK = "retry_or_unblock"
    APPROVE = "approve"
    SYNTHESIZE = "synthesize"
    LIST_ARTIFACTS = "list_artifacts"
    LIST_UPLOADS = "list_uploads"
    UPLOAD = "upload"


class OrchestratorError(Exception):
    """Something the caller can understand and act on.

    `code` names the kind for machines, `status` is its HTTP status, `next` and `hint` say what to do, `details` holds
    facts.
    """

    code: ClassVar[str] = "invalid"
    status: ClassVar[int] = 400

    def __init__(
        self, message: str, *, next: str = "", hint: Hint | None = None, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.next = next
        self.hint = hint
        self.details = details or {}

    def advice(self, hints: Mapping[Hint, str]) -> str:
        return f"{self.next} {hints.get(self.hint, '') if self.hint else ''}".strip()

    def as_dict(self, hints: Mapping[Hint, str]) -> dict[str, Any]:
        facts = {
            "code": self.code, "message": self.message, "next": self.advice(hints), "hint": self.hint,
            "details": self.details,
        }  # fmt: skip
        return {name: fact for name, fact in facts.items() if fact}


class Invalid(OrchestratorError):
    """The request itself is wrong; sending it again changes nothing."""

    code = "invalid"


class NotFound(OrchestratorError):
    """There is no such thing in this project."""

    code = "not_found"
    status = 404


class Conflict(OrchestratorError):
    """The current state does not allow the request, or another change came first."""

    code = "conflict"
    status = 409


class Stale(Conflict):
    """It has changed since the caller read it, and the caller asked for that to be checked."""

    status = 412


class NotReady(OrchestratorError):
    """The request is right, but it has to wait."""

    code = "not_ready"
    status = 409


class TooLarge(OrchestratorError):
    """Larger than one request may be."""

    code = "too_large"
    status = 413


class Forbidden(OrchestratorError):
    """The caller may not do this."""

    code = "forbidden"
    status = 403


class ServerFault(OrchestratorError):
    """The request is right, but the server cannot do it."""

    status = 503


class Unavailable(ServerFault):
    """It fails until a person does something about the server; `next` says who and what."""

    code = "unavailable"


class Transient(ServerFault):
    """It failed for a passing reason; the same request may succeed in `retry_after_ms`."""

    code = "transient"

    def __init__(self, message: str, *, retry_after_ms: int = 1000, next: str = "") -> None:
        super().__init__(message, next=next or "Retry later.", details={"retry_after_ms": retry_after_ms})
        self.retry_after_ms = retry_after_ms


def invalid(problems: list[dict[str, Any]], *, next: str = "") -> Invalid:
    """Make one `Invalid` of several problems, each `{"at": place, "problem": text, "allowed"?: [...]}`.

    It names as many as fit into a small answer, and always how many there are.
    """
    shown: list[dict[str, Any]] = []
    budget = _BUDGET
    for problem in problems:
        short: dict[str, Any] = {name: value[:_TEXT_LIMIT] for name, value in problem.items() if isinstance(value, str)}
        if allowed := problem.get("allowed"):
            short["allowed"] = [str(each)[:_ALLOWED_TEXT_LIMIT] for each in allowed[:_ALLOWED_LIMIT]]
        budget -= len(str(short).encode())
        if budget < 0 and shown:
            break
        shown.append(short)
    first = shown[0]
    place = f"{first['at']}: " if first.get("at") else ""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    details: dict[str, Any] = {"problems": shown}
    if len(shown) < len(problems):
        details["problems_total"] = len(problems)
    return Invalid(f"{place}{first['problem']}{more}", next=f"{unchanged()} {next}".strip(), details=details)
