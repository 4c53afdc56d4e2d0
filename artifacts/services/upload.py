"""Upload: receive an artifact in parts, so that nothing that was acknowledged is ever sent again.

Acknowledged bytes never change, so an append agrees with them or fails.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from artifacts.models import Upload, UploadState
from artifacts.storage import arriving, staging
from orchestrator_site.kernel import ids
from orchestrator_site.kernel.errors import Conflict, Invalid, NotFound, TooLarge, invalid
from orchestrator_site.kernel.limits import check_texts
from tasks.choices import Status
from tasks.identity.actor import Actor
from tasks.models import Project, Task
from tasks.services import leases, transitions

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,60}", re.ASCII)
DONE = (Status.COMPLETED, Status.IN_REVIEW, Status.CANCELLED)


class Facts(TypedDict, total=False):
    """What is said about an upload. Paths are normalised; size (bytes) and sha256 are checked where they are given."""

    kind: str
    summary: str
    paths: Sequence[str]
    media_type: str
    expected_size: int | None
    expected_sha256: str


def begin(*, task: Task, actor: Actor, lease_number: int | None = None, **facts: Unpack[Facts]) -> Upload:
    """Open an upload for a task.

    Raises Invalid for bad metadata, TooLarge above the limit, Conflict where this actor may not deliver for the task
    or too many uploads are open, Transient where the disk is nearly full.
    """
    upload = new_upload(task, actor, **facts)
    staging.require_room(upload.expected_size or 0)
    with transaction.atomic():
        require_may_store(task, actor, lease_number)
        _require_free_slot(task.project_id)
        upload.save(force_insert=True)
    return upload


def new_upload(task: Task, actor: Actor, **facts: Unpack[Facts]) -> Upload:
    """Return an upload that is not saved. Raises Invalid for bad metadata, TooLarge above the limit."""
    upload = Upload(
        public_id=ids.upload_id(),
        project_id=task.project_id,
        task=task,
        session=actor.session,
        actor_name=actor.name,
        **{**facts, "paths": list(facts.get("paths", ())), "expected_sha256": facts.get("expected_sha256", "").lower()},
    )
    _check_metadata(upload.summary, upload.media_type, upload.expected_sha256, upload.expected_size)
    return upload


def append(*, upload: Upload, offset: int, data: bytes) -> Upload:
    """Receive a part, and return the updated upload. Bytes that are there already are not written again.

    Raises Conflict for a wrong offset (with the right one), for bytes that differ from those received before, and where
    the upload has ended; TooLarge or Invalid beyond its size, NotFound where it is gone, Transient where the disk
    refuses.
    """
    require_open(upload)  # before a file is made for one that has ended
    staging.require_room(len(data))
    with staging.locked(upload.public_id) as handle:
        read_again(upload, "received", "state")
        require_fits(upload, offset, len(data))
        staging.require_bytes(handle, upload.public_id, upload.received)
        known = upload.received - offset
        if known and not staging.is_there(handle, offset, data[:known]):
            raise wrong_offset(upload, f"Other bytes were received at offset {offset:,} before.")
        if fresh := data[known:]:
            with arriving.counted(upload.public_id, upload.received, fresh):
                staging.write(handle, upload.received, fresh)
                _acknowledge(upload, len(fresh))
    return upload


def abort(*, upload: Upload, actor: Actor, lease_number: int | None = None) -> Upload:
    """Abort an upload; repeating it is harmless.

    Raises Conflict for one that was committed, or whose task another assistant holds; NotFound for one that is gone.
    """
    if upload.state == UploadState.OPEN:
        require_holder(upload.task, actor, lease_number)
    ended = Upload.objects.filter(pk=upload.pk, state=UploadState.OPEN).update(state=UploadState.ABORTED)
    read_again(upload, "received", "state")
    if not ended and upload.state == UploadState.COMMITTED:
        require_open(upload)
    staging.discard(upload.public_id)
    return upload


def read_again(upload: Upload, *fields: str) -> None:
    """Read an upload again, or these fields of it.

    Raises NotFound where it is gone: it was forgotten, or its task was removed.
    """
    try:
        upload.refresh_from_db(fields=fields or None)
    except Upload.DoesNotExist as error:
        raise NotFound(
            f"{upload.public_id} no longer exists.", next="Check that its task does, then begin a new upload."
        ) from error


def require_may_store(task: Task, actor: Actor, lease_number: int | None = None) -> None:
    """Check that this actor may deliver for a task now.

    Raises Conflict where another assistant holds it, or where it was completed already.
    """
    require_holder(task, actor, lease_number)
    transitions.require_on_board(task)
    if task.status in DONE:
        raise Conflict(
            f"{task.public_id} is {task.status}: its artifacts can no longer change.",
            next="Have a revision requested first (request_revision), or deliver for another task.",
            details={"status": task.status},
        )


def require_holder(task: Task, actor: Actor, lease_number: int | None = None) -> None:
    """Check that no other assistant holds a task. Raises Conflict."""
    task.refresh_from_db(
        fields=["status", "lease_number", "lease_session", "lease_expires_at", "lease_holder", "archived_at"]
    )
    leases.require_holder(task, actor, lease_number=lease_number)


def require_open(upload: Upload) -> None:
    """Check that an upload still takes bytes. Raises Conflict."""
    if upload.state != UploadState.OPEN:
        raise Conflict(
            f"{upload.public_id} was {upload.state}.",
            next="Its status names the artifact. Begin a new upload for anything else."
            if upload.state == UploadState.COMMITTED
            else "Begin a new upload.",
            details={"state": upload.state},
        )


def require_fits(upload: Upload, offset: int, size: int) -> None:
    """Check that an upload takes a part of a size at an offset.

    Raises Conflict where the upload has ended, or for a gap (with the right offset), Invalid or TooLarge beyond its
    size.
    """
    require_open(upload)
    if offset > upload.received:
        raise wrong_offset(upload, f"Offset {offset:,} leaves a gap.")
    limit: int = settings.ORCHESTRATOR_MAX_UPLOAD_BYTES
    if offset < 0:
        raise invalid([{"at": "offset", "problem": "must be 0 or more"}])
    if upload.expected_size is not None and offset + size > upload.expected_size:
        raise Invalid(
            f"The part ends at byte {offset + size:,}; {upload.expected_size:,} were announced for {upload.public_id}.",
            next="Send no more than that, or abort it and begin again with another expected_size.",
            details={"expected_size": upload.expected_size, "offset": upload.received},
        )
    if offset + size > limit:
        raise too_large(offset + size)


def wrong_offset(upload: Upload, why: str) -> Conflict:
    return Conflict(
        f"{why} {upload.public_id} has {upload.received:,} bytes.",
        next=f"Continue at offset={upload.received}.",
        details={"offset": upload.received},
    )


def _check_metadata(summary: str, media_type: str, sha256: str, size: int | None) -> None:
    problems: list[dict[str, Any]] = check_texts({"summary": summary})
    if media_type and not _MEDIA_TYPE.fullmatch(media_type):
        problems.append({"at": "media_type", "problem": "must look like text/markdown"})
    if sha256 and not _SHA256.fullmatch(sha256):
        problems.append({"at": "expected_sha256", "problem": "must be 64 hexadecimal digits"})
    if size is not None and size < 1:
        problems.append({"at": "expected_size", "problem": "must be 1 or more"})
    if problems:
        raise invalid(problems, next="Fix these and send it again.")
    if size is not None and size > settings.ORCHESTRATOR_MAX_UPLOAD_BYTES:
        raise too_large(size)


def _require_free_slot(project_id: int) -> None:
    """Count under the project's lock, so that several processes stay within the limit together."""
    Project.objects.select_for_update().get(pk=project_id)
    limit: int = settings.ORCHESTRATOR_MAX_OPEN_UPLOADS
    if Upload.objects.filter(project_id=project_id, state=UploadState.OPEN).count() >= limit:
        raise Conflict(
            f"{limit} uploads are open in this project, and no more are allowed at once.",
            next="Commit or abort some of them. Idle ones are aborted after a day.",
            details={"limit": limit},
        )


def _acknowledge(upload: Upload, size: int) -> None:
    """Count bytes that are on disk, unless the upload has ended by now."""
    before, upload.received = upload.received, upload.received + size
    open_one = Upload.objects.filter(pk=upload.pk, state=UploadState.OPEN, received=before)
    if not open_one.update(received=upload.received, last_append_at=timezone.now()):
        read_again(upload)
        require_open(upload)
        raise wrong_offset(upload, "Another call sent a part.")


def too_large(size: int) -> TooLarge:
    limit: int = settings.ORCHESTRATOR_MAX_UPLOAD_BYTES
    return TooLarge(
        f"{size:,} bytes; an upload may have {limit:,}.",
        next="Split it into several artifacts.",
        details={"limit_bytes": limit},
    )
