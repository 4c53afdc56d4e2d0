"""Commit: make an upload the next version of an artifact, completely or not at all."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from django.db import transaction
from django.utils import timezone

from artifacts import storage
from artifacts.models import ArtifactVersion, Kind, Upload, UploadState
from artifacts.services.store import store_artifact
from artifacts.services.upload import read_again, require_may_store, require_open, wrong_offset
from artifacts.storage import Prepared, arriving, staging
from orchestrator_site.kernel.commits import after_commit, unchanged
from orchestrator_site.kernel.errors import Conflict, Invalid
from orchestrator_site.kernel.signals import project_files_changed
from tasks.identity.actor import Actor
from tasks.models import Project, Task
from tasks.services.claim import locked


@dataclass(frozen=True, slots=True)
class Arrived:
    """An upload whose bytes are ready to be named in a row; without `prepared` it was committed before."""

    upload: Upload
    prepared: Prepared | None


def prepare_upload(upload: Upload, *, actor: Actor | None = None, lease_number: int | None = None) -> Arrived:
    """Check a complete upload and make its bytes ready to be stored. Call it outside any transaction.

    With an actor, the task is checked first, since a later failure leaves bytes that only the sweep removes.

    Raises Conflict where it has ended, is incomplete, or has another sha256 than was announced, or where the actor may
    not deliver for the task; Invalid where it is empty, NotFound where it is gone, Transient where the disk refuses.
    """
    read_again(upload)
    if upload.state == UploadState.COMMITTED:
        return Arrived(upload, None)
    require_open(upload)
    if actor is not None:
        require_may_store(upload.task, actor, lease_number)
    _require_whole(upload)
    staging.require_room(0)  # the bytes are not written again
    try:
        return Arrived(upload, _stored(upload))
    except Conflict:  # where the bytes are gone, another call may have ended it and removed them
        read_again(upload)
        if upload.state == UploadState.OPEN:
            raise
        return prepare_upload(upload)


def commit(*, arrived: Arrived, actor: Actor, lease_number: int | None = None) -> ArtifactVersion:
    """Store a prepared upload, or a file, as an artifact of its task; repeating it returns the same version.

    Raises Conflict where this actor may not deliver for the task, or the upload changed or ended by now.
    """
    with transaction.atomic():
        task = locked(arrived.upload.task)
        if arrived.prepared is not None:
            require_may_store(task, actor, lease_number)
            project_files_changed.send(Project, project=task.project)
        if arrived.upload._state.adding:  # a file's
            arrived.upload.save(force_insert=True)
        others = () if arrived.upload.paths else tuple(task.artifacts.values_list("pk", flat=True))
        return commit_locked(arrived=arrived, task=task, actor=actor, beside=others)


def commit_locked(
    *,
    arrived: Arrived,
    task: Task,
    actor: Actor,
    summary: str = "",
    kind: str = Kind.GENERAL,
    beside: Collection[int] = (),
) -> ArtifactVersion:
    """Commit an upload of a task whose row the current transaction has locked.

    `summary` and `kind` are used where the upload has none; `beside` is that of `store_artifact`.
    """
    upload = arrived.upload
    read_again(upload)  # the same commit may have come first
    if upload.state == UploadState.COMMITTED:
        return ArtifactVersion.objects.select_related("artifact", "content").defer("content__data").get(upload=upload)
    require_open(upload)
    if arrived.prepared is None or upload.received != arrived.prepared.size_bytes:
        raise wrong_offset(upload, "A part has just arrived.")
    version = store_artifact(
        task=task,
        actor=actor,
        prepared=arrived.prepared,
        kind=kind if upload.kind == Kind.GENERAL else upload.kind,
        summary=upload.summary or summary,
        paths=upload.paths,
        media_type=upload.media_type,
        beside=beside,
    )
    _end(upload, version)
    return version


def _stored(upload: Upload) -> Prepared:
    """Make the staged file stored content too: by a second name, or by a copy of what is small or cannot have one."""
    with storage.Writer() as writer:
        with staging.locked(upload.public_id, to_append=False) as handle:
            read_again(upload, "received", "state")  # a part may have arrived since
            require_open(upload)
            _require_whole(upload)
            staging.cut(handle, upload.received)
            tally = arriving.tally_of(upload.public_id, upload.received)
            if not writer.adopt(staging.path_of(upload.public_id), tally):
                for chunk in staging.chunks(upload.public_id, upload.received):
                    writer.write(chunk)
        if upload.expected_sha256 not in ("", writer.sha256):
            raise Conflict(
                f"What arrived in {upload.public_id} is not what was announced: its sha256 is {writer.sha256}.",
                next="Abort it and begin again.",
                details={"sha256": writer.sha256, "expected_sha256": upload.expected_sha256},
            )
        return writer.finish()


def _end(upload: Upload, version: ArtifactVersion) -> None:
    """Mark the upload, unless it changed or ended since it was read; the staged bytes go with the transaction."""
    same = Upload.objects.filter(pk=upload.pk, state=UploadState.OPEN, received=upload.received)
    if not same.update(state=UploadState.COMMITTED, version=version, last_append_at=timezone.now()):
        raise Conflict(
            f"{upload.public_id} changed or ended while it was committed.",
            next=f"{unchanged()} Ask for its status, then commit it again.".lstrip(),
        )
    after_commit(partial(staging.discard, upload.public_id), repeated_by="abandon_uploads")


def _require_whole(upload: Upload) -> None:
    if upload.expected_size is not None and upload.received != upload.expected_size:
        raise wrong_offset(upload, f"It is incomplete: {upload.expected_size:,} bytes were announced;")
    if not upload.received:
        raise Invalid(f"{upload.public_id} is empty.", next="Append its bytes first, from offset=0 on.")
