"""The tool store_artifact: uploads in parts, or from a file."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from artifacts import paths
from artifacts.models import Kind, Upload, UploadState
from artifacts.selectors.artifacts import open_uploads, upload_by_id
from artifacts.serializers import info_of
from artifacts.services import upload as services
from artifacts.services.commit import Arrived, commit, prepare_upload
from artifacts.services.local_files import prepare_file
from artifacts.truncation import warnings_of
from orchestrator_site.kernel.errors import Invalid, OrchestratorError, TooLarge, invalid
from orchestrator_site.kernel.text import shortened, without_bytes
from orchestrator_site.mcp.registry import LONG, Arguments, tool
from tasks import serializers
from tasks.identity.actor import Actor
from tasks.selectors.find import task_by_id
from tasks.services.caller import Caller
from tasks.services.idempotency import run_once

Answer = dict[str, Any]
PART_LIMIT = 1024 * 1024
"""Bytes in one call."""
PATH_LENGTH = 120
PAGE = 20
NOTHING_CHANGED = "Fix these and retry."
WHAT_THEN = (
    "commit it (the task stays open), or end the task with it: orchestrator_complete_subtask(upload_ids=[{!r}])."
)


class StoreArtifact(Arguments):
    aliases: ClassVar[dict[str, str]] = {
        "id": "upload_id",
        "content": "text",
        "data": "base64",
        "kind": "artifact_type",
    }
    action: Literal["begin", "append", "status", "commit", "abort"]
    task_id: str | None = Field(None, description="begin: the task; status: only its uploads")
    upload_id: str | None = Field(None, description="From begin. status without it lists open uploads")
    path: str | None = Field(None, description="commit: instead, with task_id, a file in the project's folder")
    offset: int | None = Field(None, description="append: bytes stored so far, from the last answer")
    text: str | None = Field(None, max_length=LONG, description="begin, append: the first or next part, up to 1 MiB")
    base64: str | None = Field(None, max_length=LONG, description="Base64 data, for binary content")
    summary: str = Field("", max_length=LONG)
    artifact_type: Literal["code", "documentation", "analysis", "design", "test", "config", "general"] = "general"
    file_paths: list[str] = Field([], description="In the user's project")
    media_type: str = ""
    expected_size: int | None = Field(None, ge=1, description="In bytes, checked at commit")
    expected_sha256: str = ""
    lease_number: int | None = Field(None, ge=1)
    cursor: str | None = None
    session_id: str | None = None
    idempotency_key: str | None = None


@tool(
    "orchestrator_store_artifact",
    title="Store an artifact in parts",
    description="Store large or binary content: begin (with the first part), append the rest, commit. After a crash, "
    "ask status and continue. To end the subtask with it, pass upload_ids to complete_subtask instead of committing.",
    arguments=StoreArtifact,
    in_runs=True,
    toolset="artifacts",
    destructive=True,
    is_long=True,
)
def store_artifact(caller: Caller, given: StoreArtifact) -> Answer:
    actor = caller.actor(given.session_id)
    _require_arguments(given)
    if given.path is not None:
        return _commit_file(actor, given, caller.folder_of(actor.project), given.path)
    return _ACTIONS[given.action](actor, given)


def _begin(actor: Actor, given: StoreArtifact) -> Answer:
    task = task_by_id(actor.project, given.task_id or "")
    part = _part(given)
    facts = _facts(given, first_part=len(part))

    def produce() -> Answer:
        upload = services.begin(task=task, actor=actor, lease_number=given.lease_number, **facts)
        repaired = serializers.short_id(given.task_id, task)
        return {"upload_id": upload.public_id, "part_limit_bytes": PART_LIMIT, "repaired": repaired}

    begun = _once(actor, given, produce)
    upload = upload_by_id(actor.project, begun["upload_id"])
    if part and upload.state == UploadState.OPEN:
        _append_first(upload, part)
    return {**begun, **_standing(upload)}


def _append_first(upload: Upload, part: bytes) -> None:
    """Store the part that came with begin, after its transaction. An error names the upload, which is open by then."""
    try:
        services.append(upload=upload, offset=0, data=part)
    except OrchestratorError as error:
        error.details |= {"upload_id": upload.public_id}
        error.next = f"{upload.public_id} is open; its first part is missing. {error.next}"
        raise


def _append(actor: Actor, given: StoreArtifact) -> Answer:
    upload = _upload(actor, given)
    if given.lease_number is not None:  # after a crash, the caller has none
        services.require_holder(upload.task, actor, given.lease_number)
    services.append(upload=upload, offset=given.offset or 0, data=_part(given))
    then = _continuation(upload) if upload.received == upload.expected_size else None
    return {"upload_id": upload.public_id, "offset": upload.received, "next": then}


def _status(actor: Actor, given: StoreArtifact) -> Answer:
    if given.upload_id is not None:
        upload = _upload(actor, given)
        stored = {"artifact_info": info_of(upload.version)} if upload.version else {}
        return {**_row(upload), **stored, **_standing(upload)}
    task = task_by_id(actor.project, given.task_id) if given.task_id else None
    after = "0" if given.cursor is None else given.cursor
    if not (after.isascii() and after.isdigit() and len(after) <= 18):
        raise Invalid("cursor: invalid cursor.", next="Send a cursor from the same call.")
    found = open_uploads(actor.project, task)
    page = list(found.filter(pk__gt=int(after))[: PAGE + 1])
    rows = serializers.within(page[:PAGE], _row)
    more = {"cursor": str(page[len(rows) - 1].pk), "next": "Send the cursor for more."} if len(rows) < len(page) else {}
    return {"uploads": rows, "total": found.count(), **more}


def _commit(actor: Actor, given: StoreArtifact) -> Answer:
    upload = _upload(actor, given)
    arrived = prepare_upload(upload, actor=actor, lease_number=given.lease_number)
    warnings = warnings_of(None, uploads=[upload])
    return _once(actor, given, lambda: _committed(arrived, actor, given, warnings))


def _commit_file(actor: Actor, given: StoreArtifact, folder: Path, path: str) -> Answer:
    task = task_by_id(actor.project, given.task_id or "")
    upload = services.new_upload(task, actor, **_facts(given))
    arrived, warnings = prepare_file(upload, folder=folder, path=path, actor=actor, lease_number=given.lease_number)
    sha256 = arrived.prepared.sha256 if arrived.prepared else ""
    return _once(actor, given, lambda: _committed(arrived, actor, given, warnings), sha256=sha256)


def _committed(arrived: Arrived, actor: Actor, given: StoreArtifact, warnings: list[str]) -> Answer:
    info = info_of(commit(arrived=arrived, actor=actor, lease_number=given.lease_number))
    upload_id = arrived.upload.public_id
    then = f"Stored; the task is not ended: orchestrator_complete_subtask(upload_ids=[{upload_id!r}]) does that."
    return {"upload_id": upload_id, "artifact_info": info, "warnings": warnings, "next": then}


def _abort(actor: Actor, given: StoreArtifact) -> Answer:
    upload = services.abort(upload=_upload(actor, given), actor=actor, lease_number=given.lease_number)
    return {"upload_id": upload.public_id, "state": upload.state}


def _once(actor: Actor, given: StoreArtifact, produce: Callable[[], Answer], **more: str) -> Answer:
    return run_once(
        project=actor.project,
        operation="store_artifact",
        key=given.idempotency_key,
        request=serializers.request_of(given) | more,
        produce=produce,
    )


_ACTIONS: dict[str, Callable[[Actor, StoreArtifact], Answer]] = {
    "begin": _begin,
    "append": _append,
    "status": _status,
    "commit": _commit,
    "abort": _abort,
}
_FILE = "commit with path"
_NEEDED = {
    "begin": ("task_id",), "append": ("upload_id", "offset"), "commit": ("upload_id",), "abort": ("upload_id",),
    _FILE: ("task_id",),
}  # fmt: skip
_FACTS = {"summary", "artifact_type", "file_paths", "media_type", "expected_size", "expected_sha256"}
_TAKEN = {
    "begin": {*_FACTS, "text", "base64"}, "append": {"offset", "text", "base64"}, "status": {"cursor"},
    _FILE: {*_FACTS, "path"},
}  # fmt: skip
_LIMITED = {*_FACTS, "offset", "text", "base64", "cursor", "path"}
"""Arguments that some actions would ignore."""


def _require_arguments(given: StoreArtifact) -> None:
    """Check that what the action needs is there, and nothing that it would ignore. Raises Invalid."""
    action = _FILE if given.action == "commit" and given.path is not None else given.action
    missing = [name for name in _NEEDED.get(action, ()) if getattr(given, name) is None]
    problems: list[dict[str, Any]] = [{"at": name, "problem": f"is required for {action}"} for name in missing]
    parts = (given.text is not None) + (given.base64 is not None)
    if parts > 1 or (given.action == "append" and not parts):
        problems.append({"at": "text", "problem": f"send either text or base64 to {given.action}"})
    others = (_LIMITED | {"upload_id"} if action == _FILE else _LIMITED) - _TAKEN.get(action, set())
    sent = given.model_dump(include=others, exclude_defaults=True)
    problems += [{"at": name, "problem": f"is not for {action}"} for name in sorted(sent) if sent[name]]
    if problems:
        raise invalid(problems, next=NOTHING_CHANGED)


def _facts(given: StoreArtifact, *, first_part: int = 0) -> services.Facts:
    """Return what is said about an upload. A file belongs where it lies, unless `file_paths` say otherwise."""
    where_it_lies = [] if given.path is None else [given.path]
    logical_paths, problems = paths.all_normalised(given.file_paths or where_it_lies)
    if given.expected_size is not None and first_part > given.expected_size:
        problems.append({"at": "expected_size", "problem": f"the first part alone has {first_part:,} bytes"})
    if problems:
        raise invalid(problems, next=NOTHING_CHANGED)
    return {
        "kind": given.artifact_type,
        "summary": given.summary,
        "paths": logical_paths,
        "media_type": given.media_type,
        "expected_size": given.expected_size,
        "expected_sha256": given.expected_sha256,
    }


def _upload(actor: Actor, given: StoreArtifact) -> Upload:
    return upload_by_id(actor.project, given.upload_id or "")


def _part(given: StoreArtifact) -> bytes:
    """Return the bytes of a part. Raises Invalid for bad Unicode or base64, TooLarge above the limit."""
    if given.text is not None:
        if why := without_bytes(given.text):
            raise invalid([{"at": "text", "problem": why}], next="Send valid Unicode, or base64.")
        part = given.text.encode()
    else:
        try:
            part = b64decode("".join((given.base64 or "").split()), validate=True)  # encoders break lines
        except (binascii.Error, ValueError) as error:
            raise invalid(
                [{"at": "base64", "problem": f"invalid base64: {error}"}], next="Fix it and retry."
            ) from error
    if len(part) > PART_LIMIT:
        raise TooLarge(
            f"The part has {len(part):,} bytes; the limit is {PART_LIMIT:,}.",
            next="Send smaller parts.",
            details={"limit_bytes": PART_LIMIT},
        )
    return part


def _standing(upload: Upload) -> Answer:
    following = _continuation(upload) if upload.state == UploadState.OPEN else None
    return {"upload_id": upload.public_id, "state": upload.state, "offset": upload.received, "next": following}


def _continuation(upload: Upload) -> str:
    then = WHAT_THEN.format(upload.public_id)
    if upload.received == upload.expected_size:
        return f"It is complete: {then}"
    return f"Append from offset={upload.received}; when it is complete, {then}"


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
