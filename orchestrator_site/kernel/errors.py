"""The one error hierarchy: what went wrong, why, and what to do next.

Every service raises these and nothing else for what a caller can mend. The doors map them once each: to an MCP tool
result with `isError`, to an RFC 9457 problem, to a page. A message is made for the caller: it never holds a path of
the server, SQL, a secret or a destructive command.
"""

from __future__ import annotations

from typing import Any, ClassVar

# An error stays a small answer, however large the call that earned it: characters of a place or a sentence, of an
# allowed value, how many of those, and bytes of all mistakes together.
_TOLD = 300
_TOLD_ALLOWED = 40
_ALLOWED = 30
_ROOM = 1500


class OrchestratorError(Exception):
    """Something the caller can understand and act on.

    `code` names the kind for machines, `status` is its HTTP status, `next` says what to do, `details` holds facts.
    """

    code: ClassVar[str] = "invalid"
    status: ClassVar[int] = 400

    def __init__(self, message: str, *, next: str = "", details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next = next
        self.details = details or {}

    def as_dict(self) -> dict[str, Any]:
        """Return the facts that every door shows, without empty ones."""
        facts: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.next:
            facts["next"] = self.next
        if self.details:
            facts["details"] = self.details
        return facts


class Invalid(OrchestratorError):
    """The request itself is wrong; sending it again changes nothing."""

    code = "invalid"
    status = 400


class NotFound(OrchestratorError):
    """No such thing in this project."""

    code = "not_found"
    status = 404


class Conflict(OrchestratorError):
    """The thing is in another state than the request needs, or somebody was faster."""

    code = "conflict"
    status = 409


class Stale(Conflict):
    """The thing has changed since the caller read it, and the caller asked that it should not have."""

    status = 412


class NotReady(OrchestratorError):
    """The request is right but its time has not come."""

    code = "not_ready"
    status = 409


class TooLarge(OrchestratorError):
    """More than one call may carry."""

    code = "too_large"
    status = 413


class Forbidden(OrchestratorError):
    """The caller may not do this."""

    code = "forbidden"
    status = 403


class Transient(OrchestratorError):
    """It failed for a passing reason; the same request may succeed in `retry_after_ms`."""

    code = "transient"
    status = 503

    def __init__(self, message: str, *, retry_after_ms: int = 1000, next: str = "") -> None:
        super().__init__(
            message, next=next or "Send the same again in a moment.", details={"retry_after_ms": retry_after_ms}
        )
        self.retry_after_ms = retry_after_ms


def invalid(problems: list[dict[str, Any]], *, next: str = "") -> Invalid:
    """Make one `Invalid` of several mistakes, each `{"at": place, "problem": text, "allowed"?: [...]}`.

    As many are told as fit into a small answer; how many there are is always told.
    """
    shown = _as_fit([_shortened(problem) for problem in problems])
    first = shown[0]
    place = f"{first['at']}: " if first.get("at") else ""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    details: dict[str, Any] = {"problems": shown}
    if len(shown) < len(problems):
        details["problems_total"] = len(problems)
    return Invalid(f"{place}{first['problem']}{more}", next=next, details=details)


def _shortened(problem: dict[str, Any]) -> dict[str, Any]:
    short: dict[str, Any] = {name: value[:_TOLD] for name, value in problem.items() if isinstance(value, str)}
    if allowed := problem.get("allowed"):
        short["allowed"] = [str(each)[:_TOLD_ALLOWED] for each in allowed[:_ALLOWED]]
    return short


def _as_fit(problems: list[dict[str, Any]]) -> list[dict[str, Any]]:
    room = _ROOM
    for number, problem in enumerate(problems):
        room -= len(str(problem).encode())
        if room < 0 and number:
            return problems[:number]
    return problems
