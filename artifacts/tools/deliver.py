"""The tools complete_subtask and read_artifact, and artifacts as resources."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from artifacts import storage
from artifacts.models import Artifact, ArtifactVersion
from artifacts.selectors import artifacts
from artifacts.serializers import info_of
from artifacts.services.deliver import OUTCOMES, Delivery, DeliveryRequest, deliver, prepare_delivery
from orchestrator_site.kernel.errors import Invalid, NotFound
from orchestrator_site.mcp.registry import LONG, LONG_ANSWER, Arguments, resource, tool
from orchestrator_site.mcp.schema import HIDDEN
from tasks import serializers
from tasks.choices import Status
from tasks.gates.pieces import piece_of
from tasks.models import Session, Task
from tasks.selectors.find import TaskName
from tasks.selectors.next_task import first_of_plan, first_of_project
from tasks.services.attempts import COST_LIMIT, TOKENS_LIMIT, usage_of
from tasks.services.caller import Caller
from tasks.services.gates import completing
from tasks.services.idempotency import run_once

Answer = dict[str, Any]
KindWord = Literal["code", "documentation", "analysis", "design", "test", "config", "general"]
UNBLOCKED_BYTES = 500
MORE_BYTES = 400
SEND_AGAIN = (
    "If it was cut off (warnings): orchestrator_update_task(action='request_revision'), then deliver it again. "
)


class Decided(Arguments):
    aliases: ClassVar[dict[str, str]] = {"decision": "text", "why": "because", "rejected": "instead_of"}
    text: str = Field(max_length=LONG)
    because: str = ""
    instead_of: str = ""


class ShownEvidence(Arguments):
    aliases: ClassVar[dict[str, str]] = {"name": "gate", "junit": "report", "sha": "commit"}
    gate: str = ""
    passed: bool | None = None
    summary: str = Field("", max_length=LONG)
    exit_code: int | None = None
    tests: int | None = Field(None, ge=0)
    failures: int | None = Field(None, ge=0)
    skipped: int | None = Field(None, ge=0)
    report: str = Field("", max_length=LONG)
    commit: str = ""
    output: str = Field("", max_length=LONG)


class ReportedUsage(Arguments):
    aliases: ClassVar[dict[str, str]] = {
        "input_tokens": "read_tokens",
        "output_tokens": "written_tokens",
        "cost": "cost_usd",
    }
    read_tokens: int | None = Field(None, ge=0, le=TOKENS_LIMIT)
    written_tokens: int | None = Field(None, ge=0, le=TOKENS_LIMIT)
    cost_usd: float | None = Field(None, ge=0, le=COST_LIMIT)


class CompleteSubtask(Arguments):
    aliases: ClassVar[dict[str, str]] = {"id": "task_id", "results": "summary", "work": "detailed_work"}
    task_id: str
    summary: str = Field(max_length=LONG, description="For dependent tasks")
    detailed_work: str | None = Field(None, max_length=LONG, description="The complete result")
    next_action: Literal["continue", "complete", "needs_revision", "blocked"] = "complete"
    upload_ids: list[str] = Field([], description="Instead of detailed_work")
    artifact_type: KindWord = "general"
    file_paths: list[str] = Field([], description="In the user's project")
    reason: str | None = Field(None, max_length=LONG, description="Needed for needs_revision, blocked")
    expected_size: int | None = Field(None, ge=1)
    lease_number: int | None = Field(None, ge=1)
    decisions: list[str | Decided] = Field([], json_schema_extra={HIDDEN: True})
    learned: list[str] = Field([], json_schema_extra={HIDDEN: True})
    evidence: list[str | ShownEvidence] = Field([], json_schema_extra={HIDDEN: True})
    usage: ReportedUsage | None = Field(None, json_schema_extra={HIDDEN: True})
    session_id: str | None = None
    idempotency_key: str | None = None


@tool(
    "orchestrator_complete_subtask",
    title="Complete a subtask",
    description="Store the complete result as an artifact, outside your context, and end the task.",
    arguments=CompleteSubtask,
    in_runs=True,
)
def complete_subtask(caller: Caller, given: CompleteSubtask) -> Answer:
    actor = caller.actor(given.session_id)
    request = DeliveryRequest(
        summary=given.summary,
        text=given.detailed_work,
        upload_ids=given.upload_ids,
        outcome=OUTCOMES[given.next_action],
        reason="" if _left_out(given) else given.reason or "",
        kind=given.artifact_type,
        paths=given.file_paths,
        expected_size=given.expected_size,
        lease_number=given.lease_number,
        decisions=[each if isinstance(each, str) else each.model_dump() for each in given.decisions],
        learned=given.learned,
        evidence=[piece_of(each if isinstance(each, str) else each.model_dump()) for each in given.evidence],
        usage=usage_of(given.usage.model_dump() if given.usage else None),
    )
    task = TaskName(actor.project, given.task_id)
    prepared = prepare_delivery(task=task, actor=actor, request=request)
    facts = given.model_dump(exclude={"idempotency_key", "session_id", "detailed_work"})
    return completing(
        lambda look: run_once(
            project=actor.project,
            operation="complete_subtask",
            key=given.idempotency_key,
            request={**facts, "sha256": prepared.sha256},
            produce=lambda: _delivered(deliver(prepared, look), given, actor.session, prepared.warnings),
        )
    )


def _delivered(done: Delivery, given: CompleteSubtask, session: Session | None, warnings: list[str]) -> Answer:
    task, parent = done.completion.task, done.completion.task.parent
    if parent is not None and parent.is_plan:
        plan = parent  # which completing has just read
    else:
        plan = Task.objects.only("public_id", "status", "parent", "root").get(pk=task.plan_id)
    following = first_of_plan(task.plan_id, session) or first_of_project(task.project_id, session)
    return {
        "status": task.status,
        "artifact_info": info_of(done.versions[0]) if done.versions else None,
        "more_artifacts": serializers.within(done.versions[1:], info_of, budget=MORE_BYTES),
        "artifacts_total": len(done.versions) if len(done.versions) > 1 else None,
        "warnings": warnings,
        "parent_task_progress": serializers.progress(plan),
        "unblocked": serializers.within(done.completion.unblocked, serializers.pointer, budget=UNBLOCKED_BYTES),
        "next_recommended_task": serializers.pointer(following) if following else None,
        "repaired": [*serializers.short_id(given.task_id, task), *_left_out(given)],
        "next": (SEND_AGAIN if warnings else "") + _next_step(task, plan, following),
    }


def _left_out(given: CompleteSubtask) -> list[str]:
    """Name a reason that a completion has no place for; to refuse it would cost sending all of it again."""
    is_said = given.reason and OUTCOMES[given.next_action] == Status.COMPLETED
    return ["reason: only for needs_revision and blocked, so not stored"] if is_said else []


def _next_step(task: Task, plan: Task, following: Task | None) -> str:
    if plan.pk != task.pk and plan.status == Status.COMPLETED:
        return f"The plan is finished: call orchestrator_synthesize_results(parent_task_id={plan.public_id!r})."
    if following is not None:
        return "Call orchestrator_execute_subtask for the next task."
    return "Nothing is ready: see orchestrator_get_status, and tell the user what waits for a person."


class ReadArtifact(Arguments):
    aliases: ClassVar[dict[str, str]] = {"id": "artifact_id"}
    artifact_id: str
    offset: int = 0
    limit: int | None = Field(None, ge=1, le=artifacts.READ_LIMIT)
    unit: artifacts.Unit | None = None
    version: int | None = Field(None, ge=1)
    session_id: str | None = None


@tool(
    "orchestrator_read_artifact",
    title="Read an artifact",
    description="Read an artifact, exactly as delivered, by ranges.",
    result_chars=LONG_ANSWER,
    arguments=ReadArtifact,
    read_only=True,
    idempotent=True,
)
def read_artifact(caller: Caller, given: ReadArtifact) -> Answer:
    project = caller.session(given.session_id).project
    version = artifacts.version_by_id(project, given.artifact_id, given.version)
    unit = given.unit or artifacts.unit_of(version)
    found = artifacts.read(version, unit, offset=given.offset, limit=given.limit)
    content = version.content
    named = "" if unit == artifacts.unit_of(version) else f"unit={unit!r}, "
    return {
        "text": found.text,
        "base64": found.base64,
        "version": version.number,
        "unit": unit,
        f"total_{unit}": found.total,
        "total_chars": content.size_chars,
        "total_bytes": content.size_bytes,
        "sha256": content.sha256,
        "next_offset": found.end if found.has_more else None,
        "next": f"Continue with {named}offset={found.end}." if found.has_more else None,
    }


@resource(
    "artifact://{id}",
    name="artifact",
    title="Artifact",
    description="A whole artifact.",
    mime_type="text/plain",
    complete=lambda caller, name, typed, chosen: artifacts.ids_beginning(caller.project(), typed),
    project_of=lambda caller, id: _artifact(caller, id).project,
)
def artifact_whole(caller: Caller, id: str) -> str | bytes:
    """Return the latest version as text or bytes. Raises Invalid for one that is too large for a message."""
    return _whole(artifacts.version_of(_artifact(caller, id)))


@resource(
    "artifact://{id}/v{n}",
    name="artifact version",
    title="Version of an artifact",
    description="A whole artifact in one version.",
    mime_type="text/plain",
    complete=lambda caller, name, typed, chosen: (
        artifacts.versions_beginning(caller.project(), chosen.get("id", ""), typed)
        if name == "n"
        else artifacts.ids_beginning(caller.project(), typed)
    ),
    project_of=lambda caller, id, n: _version(caller, id, n).artifact.project,
)
def version_whole(caller: Caller, id: str, n: str) -> str | bytes:
    return _whole(_version(caller, id, n))


def _whole(version: ArtifactVersion) -> str | bytes:
    unit = artifacts.unit_of(version)
    size = version.content.size_chars if unit == "chars" else version.content.size_bytes
    if size is not None and size > artifacts.SHOWN_LIMIT:
        raise Invalid(
            f"{version.artifact.public_id} has {size:,} {unit}; a resource shows up to {artifacts.SHOWN_LIMIT:,}.",
            next="Read ranges of it with orchestrator_read_artifact.",
        )
    whole = b"".join(storage.chunks(version.content))
    return whole.decode() if unit == "chars" else whole


def _version(caller: Caller, id: str, n: str) -> ArtifactVersion:
    artifact = _artifact(caller, id)
    if not (n.isascii() and n.isdigit() and len(n) <= 9):
        raise NotFound(f"{id} has no version {n[:64]!r}.", next=f"It has versions 1 to {artifact.version}.")
    return artifacts.version_of(artifact, int(n))


def _artifact(caller: Caller, id: str) -> Artifact:
    return artifacts.artifact_by_id(caller.reach(lambda: artifacts.project_of_artifact(id)), id)
