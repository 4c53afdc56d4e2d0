"""The tool maintenance_coordinator."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from maintenance.choices import Action, Level, ScopeWord
from maintenance.found import Found
from maintenance.selectors.runs import is_running
from maintenance.services.coordinate import Answer, Request, coordinate
from orchestrator_site.kernel.text import shortened
from orchestrator_site.mcp.registry import Arguments, tool
from orchestrator_site.mcp.schema import HIDDEN
from tasks import serializers
from tasks.selectors.find import task_by_id
from tasks.services.caller import Caller
from tasks.services.idempotency import run_once

NAME = "orchestrator_maintenance_coordinator"
SHOWN = 10
ActionWord = Literal[
    "scan_cleanup", "validate_structure", "update_documentation", "prepare_handover", "archive", "restore", "purge"
]


class MaintenanceCoordinator(Arguments):
    aliases: ClassVar[dict[str, str]] = {"task_id": "target_task_id", "level": "validation_level"}
    action: ActionWord
    scope: Literal["current_session", "full_project", "specific_subtask"] = "current_session"
    validation_level: Literal["basic", "comprehensive", "full_audit"] = "basic"
    target_task_id: str | None = Field(None, description="For specific_subtask")
    task_ids: list[str] = Field([], description="Only these")
    apply: bool = Field(False, description="Do what the preview of this plan_token showed")
    plan_token: str | None = None
    since: int | None = Field(None, ge=1, description="Number of an earlier handover")
    max_chars: int | None = Field(None, ge=2000, le=100_000)
    session_id: str | None = None
    idempotency_key: str | None = Field(None, json_schema_extra={HIDDEN: True})


@tool(
    NAME,
    title="Maintenance",
    description="Find stale work, check the structure, archive, hand over. Changes are previewed first.",
    arguments=MaintenanceCoordinator,
    toolset="maintenance",
    scope="read",  # and what the call needs, see maintenance/services/coordinate.py
    destructive=True,
    is_long=True,
)
def maintenance_coordinator(caller: Caller, given: MaintenanceCoordinator) -> dict[str, Any]:
    actor = caller.actor(given.session_id)
    project = actor.project
    target = task_by_id(project, given.target_task_id) if given.target_task_id else None
    request = Request(
        action=Action(given.action), scope=ScopeWord(given.scope), level=Level(given.validation_level), target=target,
        task_ids=tuple(given.task_ids), apply=given.apply, plan_token=given.plan_token or "", since=given.since,
        max_chars=given.max_chars,
    )  # fmt: skip
    return run_once(
        project=project,
        operation="maintenance_coordinator",
        key=given.idempotency_key,
        request=serializers.request_of(given),
        produce=lambda: _shape(coordinate(project=project, actor=actor, request=request), project.slug),
    )


def _shape(answer: Answer, slug: str) -> dict[str, Any]:
    operation, handover = answer.operation, answer.handover
    done = [each for each in answer.changes if "conflict" not in each]
    left = [each for each in answer.changes if "conflict" in each]
    shown = [] if answer.request.apply else answer.findings  # they were previewed
    report = f"/projects/{slug}/maintenance/" + (f"operations/{operation.public_id}/" if operation else "")
    return {
        "operation_id": operation.public_id if operation else None,
        "state": operation.state if operation else None,
        "counts": answer.counts,
        "findings": serializers.within(shown[:SHOWN], _row, budget=1000),
        "findings_total": None if answer.documents or handover else len(shown),
        "proposals_total": None if answer.request.apply else len(answer.proposals) or None,
        "changed": serializers.within(done, _changed, budget=300),
        "changed_total": len(done) or None,
        "not_changed": serializers.within(left, _changed, budget=300),
        "plan_token": answer.plan_token if answer.proposals and not answer.request.apply else None,
        "handover": {"number": handover.number, "sha256": handover.sha256} if handover else None,
        "text": answer.text or None,
        "documents": answer.documents or None,
        "notes": answer.notes,
        "report": report,
        "next": _next(answer, slug),
    }


def _row(found: Found) -> dict[str, Any]:
    return {
        "cause": found.cause.value,
        "severity": found.severity.label,
        "task_id": found.subject,
        "title": shortened(found.title, serializers.TITLE_LENGTH),
        "since": found.since.isoformat(timespec="minutes"),
        "proposal": found.proposal or None,
        "advice": shortened(found.advice, serializers.LINE_LENGTH) or None,
    }


def _changed(change: dict[str, Any]) -> dict[str, Any]:
    return {name: change[name] for name in ("verb", "task_id", "conflict") if name in change}


def _next(answer: Answer, slug: str) -> str:
    request, operation = answer.request, answer.operation
    if operation is not None and is_running(operation):
        return f"The worker does it: orchestrator_get_status(task_id={operation.public_id!r})."
    if answer.handover is not None:
        return f"The next context reads handover://{slug}."
    if request.apply:
        return "Done. The page of the report has an undo for what was archived, restored or purged."
    if answer.documents:
        return "They are in .task_orchestrator/status/ of the project's folder."
    if answer.proposals and len(answer.proposals) > len(answer.changes):
        return (
            f"Nothing of this is done yet. To do all {len(answer.proposals)}, call it again with apply=true and "
            f"plan_token={answer.plan_token!r}."
        )
    return "Tell the user what needs a person." if answer.findings else "Nothing to do."
