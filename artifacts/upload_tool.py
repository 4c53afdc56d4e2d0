"""The MCP door of work that arrives in parts."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable
from typing import Any, ClassVar, Literal

from pydantic import Field

from artifacts import paths
from artifacts.answers import info_of
from artifacts.models import Kind, Upload, UploadState
from artifacts.services import upload as services
from artifacts.services.commit import commit, prepare_upload
from artifacts.uploads import open_uploads, upload_by_id
from artifacts.warnings import warnings_of
from orchestrator_site.mcp.registry import Arguments, tool
from tasks import answers
from tasks.actors import Actor
from tasks.callers import Caller
from tasks.errors import TooLarge, invalid
from tasks.queries.find import task_by_id
from tasks.services.idempotency import run_once
from tasks.text import shortened, without_bytes

Answer = dict[str, Any]
PART_LIMIT = 1024 * 1024
"""Bytes that one call brings."""
PATH_LENGTH = 120
GO_ON = "Append from offset={} on; then commit, or complete the subtask with upload_ids=[{!r}]."


class StoreArtifact(Arguments):
    aliases: ClassVar[dict[str, str]] = {
        "id": "upload_id",
        "content": "text",
        "data": "base64",
        "kind": "artifact_type",
    }
    action: Literal["begin", "append", "status", "commit", "abort"]
    task_id: str | None = Field(None, description="begin: whose work it is; status: only its uploads")
    upload_id: str | None = Field(None, description="As begin answered. status without it lists what is open")
    offset: int | None = Field(None, description="append: bytes stored so far, as the last answer says")
    text: str | None = Field(None, description="append: the next part, up to 1 MiB")
    base64: str | None = Field(None, description="append: the same for bytes that are no text")
    summary: str = ""
    artifact_type: Literal["code", "documentation", "analysis", "design", "test", "config", "general"] = "general"
    file_paths: list[str] = Field([], description="Where it belongs in the user's project")
    media_type: str = ""
    expected_size: int | None = Field(None, description="In bytes, checked at commit")
    expected_sha256: str = ""
    lease_number: int | None = Field(None, ge=1)
    session_id: str | None = None
    idempotency_key: str | None = None


@tool(
    "orchestrator_store_artifact",
    title="Store an artifact in parts",
    description="Store large or binary work: begin, append part by part, commit. After a crash ask status and go on. "
    "To end the subtask with it, pass upload_ids to complete_subtask instead of committing.",
    arguments=StoreArtifact,
    toolset="artifacts",
    destructive=True,
)
def store_artifact(caller: Caller, given: StoreArtifact) -> Answer:
    """Do what the action says."""
    actor = caller.actor(given.session_id)
    _require_arguments(given)
    return _ACTIONS[given.action](actor, given)


def _begin(actor: Actor, given: StoreArtifact) -> Answer:
    task = task_by_id(actor.project, given.task_id or "")
    logical_paths, problems = paths.all_normalised(given.file_paths)
    if problems:
        raise invalid(problems, next="Nothing was changed. Mend these and send the call again.")

    def produce() -> Answer:
        upload = services.begin(
            task=task,
            actor=actor,
            kind=given.artifact_type,
            summary=given.summary,
            paths=logical_paths,
            media_type=given.media_type,
            expected_size=given.expected_size,
            expected_sha256=given.expected_sha256,
            lease_number=given.lease_number,
        )
        repaired = answers.short_id(given.task_id, task)
        return {**_standing(upload), "part_limit_bytes": PART_LIMIT, "repaired": repaired}

    return run_once(
        project=actor.project,
        operation="store_artifact",
        key=given.idempotency_key,
        request=answers.request_of(given),
        produce=produce,
    )


def _append(actor: Actor, given: StoreArtifact) -> Answer:
    upload = services.append(upload=_upload(actor, given), offset=given.offset or 0, data=_part(given))
    return {"upload_id": upload.public_id, "offset": upload.received}


def _status(actor: Actor, given: StoreArtifact) -> Answer:
    if given.upload_id is not None:
        upload = _upload(actor, given)
        stored = {"artifact_info": info_of(upload.version)} if upload.version else {}
        return {**_row(upload), **stored, **_standing(upload)}
    task = task_by_id(actor.project, given.task_id) if given.task_id else None
    found = open_uploads(actor.project, task)
    return {"uploads": answers.within(found[:20], _row), "total": found.count()}


def _commit(actor: Actor, given: StoreArtifact) -> Answer:
    upload = _upload(actor, given)
    arrived = prepare_upload(upload)
    warnings = warnings_of(None, uploads=[upload])
    version = commit(arrived=arrived, actor=actor, lease_number=given.lease_number)
    done = f"End the subtask with orchestrator_complete_subtask(upload_ids=[{upload.public_id!r}]) when it is done."
    return {"upload_id": upload.public_id, "artifact_info": info_of(version), "warnings": warnings, "next": done}


def _abort(actor: Actor, given: StoreArtifact) -> Answer:
    upload = services.abort(upload=_upload(actor, given))
    return {"upload_id": upload.public_id, "state": upload.state}


_ACTIONS: dict[str, Callable[[Actor, StoreArtifact], Answer]] = {
    "begin": _begin,
    "append": _append,
    "status": _status,
    "commit": _commit,
    "abort": _abort,
}
_NEEDED = {"begin": ("task_id",), "append": ("upload_id", "offset"), "commit": ("upload_id",), "abort": ("upload_id",)}


def _require_arguments(given: StoreArtifact) -> None:
    missing = [name for name in _NEEDED.get(given.action, ()) if getattr(given, name) is None]
    problems: list[dict[str, Any]] = [{"at": name, "problem": f"{given.action} needs it"} for name in missing]
    if given.action == "append" and (given.text is None) == (given.base64 is None):
        problems.append({"at": "text", "problem": "append needs either text or base64"})
    if problems:
        raise invalid(problems, next="Nothing was changed. Mend these and send the call again.")


def _upload(actor: Actor, given: StoreArtifact) -> Upload:
    return upload_by_id(actor.project, given.upload_id or "")


def _part(given: StoreArtifact) -> bytes:
    """Return the bytes of a part.

    Raises Invalid for what has none, TooLarge above the limit.
    """
    part = _of_text(given.text) if given.text is not None else _of_base64(given.base64 or "")
    if len(part) > PART_LIMIT:
        raise TooLarge(
            f"The part has {len(part):,} bytes; one call brings up to {PART_LIMIT:,}.",
            next="Send it in smaller parts, one after the other.",
            details={"limit_bytes": PART_LIMIT},
        )
    return part


def _of_text(text: str) -> bytes:
    if why := without_bytes(text):
        raise invalid([{"at": "text", "problem": why}], next="Send it as valid Unicode, or as base64.")
    return text.encode()


def _of_base64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid(
            [{"at": "base64", "problem": f"is no base64: {error}"}], next="Mend it and send it again."
        ) from error


def _standing(upload: Upload) -> Answer:
    """Where an upload stands and how it goes on."""
    goes_on = GO_ON.format(upload.received, upload.public_id) if upload.state == UploadState.OPEN else None
    return {"upload_id": upload.public_id, "state": upload.state, "offset": upload.received, "next": goes_on}


def _row(upload: Upload) -> Answer:
    return {
        "upload_id": upload.public_id,
        "task_id": upload.task.public_id,
        "offset": upload.received,
        "expected_size": upload.expected_size,
        "path": shortened(upload.paths[0], PATH_LENGTH) if upload.paths else None,
        "artifact_type": upload.kind if upload.kind != Kind.GENERAL else None,
        "last_append_at": upload.last_append_at.isoformat(timespec="seconds"),
    }
