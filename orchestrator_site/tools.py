"""The toolset `server`: whether the process that serves a caller is well, and how another one takes its place."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from pydantic import Field

from artifacts.models import Upload, UploadState
from artifacts.storage import staging
from maintenance.health.selectors import readiness
from orchestrator_site import restarts
from orchestrator_site.kernel.errors import Transient, Unavailable
from orchestrator_site.kernel.serving import process_facts, uptime_seconds
from orchestrator_site.mcp.registry import Arguments, tool
from orchestrator_site.models import Restart
from tasks.choices import Status
from tasks.models import Session, Task
from tasks.services.caller import Caller
from tasks.services.sessions import end_connection

TOOLSET = "server"
RESTARTS_SHOWN = 3
SHOWN = 10


class OfSession(Arguments):
    session_id: str | None = None


class RestartServer(Arguments):
    graceful: bool = Field(True, description="Let calls in flight finish")
    preserve_state: bool = Field(True, description="Keep this connection's sessions and leases")
    timeout: int = Field(30, ge=1, le=600, description="Seconds for calls in flight")
    reason: str | None = Field(None, max_length=restarts.REASON)


class HealthCheck(Arguments):
    detail: bool = Field(False, description="Every check, and the last restarts")


@tool(
    "orchestrator_restart_server",
    title="Restart the server",
    description="Have a new server process take over, without closing the connection. If it cannot start, this one "
    "goes on.",
    arguments=RestartServer,
    toolset=TOOLSET,
    scope="admin",
    is_long=True,
)
def restart_server(caller: Caller, given: RestartServer) -> dict[str, Any]:
    facts = _restart(caller, timeout=given.timeout if given.graceful else 0, reason=given.reason or "")
    ended = 0 if given.preserve_state or not caller.connection_id else end_connection(caller.connection_id)
    return {"restarted": True, **_shown(facts), "sessions_ended": ended}


@tool(
    "orchestrator_reconnect_test",
    title="Test a restart",
    description="Start another server process beside this one, see whether it serves, and end it. Changes nothing.",
    arguments=OfSession,
    toolset=TOOLSET,
    scope="admin",
    is_long=True,
)
def reconnect_test(caller: Caller, given: OfSession) -> dict[str, Any]:
    return {"would_restart": True, **_shown(_restart(caller, timeout=0, is_trial=True))}


@tool(
    "orchestrator_health_check",
    title="Health of the server",
    description="Say whether the server, its data and its jobs are well.",
    arguments=HealthCheck,
    toolset=TOOLSET,
    read_only=True,
)
def health_check(caller: Caller, given: HealthCheck) -> dict[str, Any]:
    checks = readiness()
    problems = {name: check["problem"] for name, check in checks.items() if not check["ok"]}
    facts = {
        "status": "degraded" if problems else "ok",
        **process_facts(),
        "uptime_seconds": uptime_seconds(),
        "calls_in_flight": _others_in_flight(caller),
        "problems": problems,
    }
    if given.detail:
        facts |= {"checks": checks, "restarts": [_row(each) for each in restarts.latest(RESTARTS_SHOWN)]}
    return facts


@tool(
    "orchestrator_shutdown_prepare",
    title="Before a restart or shutdown",
    description="Say what a restart now would meet: calls in flight, and the leases and uploads of this session.",
    arguments=OfSession,
    toolset=TOOLSET,
    read_only=True,
)
def shutdown_prepare(caller: Caller, given: OfSession) -> dict[str, Any]:
    """Compare what is promised with what the database and the disk hold, which is all that a new process has.

    A session that is only for reading has no row, and so neither leases nor uploads.
    """
    session = caller.session(given.session_id)
    uploads = list(Upload.objects.filter(session__public_id=session.public_id, state=UploadState.OPEN).order_by("pk"))
    held = _leases(session)
    return {
        "calls_in_flight": _others_in_flight(caller),
        "leases": [{"task_id": task.public_id, "lease_number": task.lease_number} for task in held[:SHOWN]],
        "leases_total": held.count(),
        "uploads": [{"upload_id": each.public_id, "offset": each.received} for each in uploads[:SHOWN]],
        "uploads_total": len(uploads),
        "uploads_lost": sum(not _is_staged(upload) for upload in uploads),
        "next": "A restart lets calls finish and keeps leases and uploads. The end of the connection ends its leases.",
    }


def _restart(caller: Caller, *, timeout: float, is_trial: bool = False, reason: str = "") -> dict[str, Any]:
    """Return what was measured. Raises Unavailable where nothing could restart it, Transient where that failed."""
    if caller.serving is None:
        raise Unavailable(
            "This server was not started by `mcp_serve` or `up`, so nothing could start it again.",
            next="Ask the person who runs it.",
        )
    facts = caller.serving.restart(timeout=timeout, is_trial=is_trial, reason=reason, who=caller.principal.name)
    if problem := facts.get("problem"):
        raise Transient(
            f"The new server process does not serve, so this one goes on: {problem}",
            retry_after_ms=facts.get("retry_after_ms", 1000),
            next="Correct the cause, then try again; the server's log says more.",
        )
    return facts


def _shown(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if name != "lists"}


def _leases(session: Session) -> QuerySet[Task]:
    own = Task.objects.filter(
        lease_session__public_id=session.public_id, status=Status.ACTIVE, lease_expires_at__gt=timezone.now()
    )
    return own.order_by("pk")


def _others_in_flight(caller: Caller) -> int | None:
    """Return how many calls besides this one are running in this process."""
    return max(0, caller.serving.in_flight - 1) if caller.serving else None


def _is_staged(upload: Upload) -> bool:
    path = staging.path_of(upload.public_id)
    return not upload.received or (path.is_file() and path.stat().st_size >= upload.received)


def _row(restart: Restart) -> dict[str, Any]:
    return {
        "at": restart.requested_at.isoformat(timespec="seconds"),
        "who": restart.who,
        "reason": restart.reason or None,
        "state": restart.state,
        "problem": restart.problem or None,
        "seconds": restart.seconds,
        "calls_finished": restart.calls_finished,
        "calls_cut_off": restart.calls_cut_off,
    }
