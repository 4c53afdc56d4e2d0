"""The one error hierarchy: what went wrong, why, and what to do next.

Every service raises these and nothing else for what a caller can mend. The doors map them once each: to an MCP tool
result with `isError`, to an RFC 9457 problem, to a page. A message is made for the caller: it never holds a path of
the server, SQL, a secret or a destructive command.
"""

from __future__ import annotations

from typing import Any, ClassVar


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
        super().__init__(message, next=next or "Send the same call again.", details={"retry_after_ms": retry_after_ms})
        self.retry_after_ms = retry_after_ms


def invalid(problems: list[dict[str, Any]], *, next: str = "") -> Invalid:
    """Make one `Invalid` of several mistakes, each `{"at": place, "problem": text, "allowed"?: [...]}`."""
    first = problems[0]
    place = f"{first['at']}: " if first.get("at") else ""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return Invalid(f"{place}{first['problem']}{more}", next=next, details={"problems": problems})
