"""Deliver: store the work and end the task, in one step that holds or leaves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from artifacts import storage
from artifacts.models import ArtifactVersion, Kind, Upload
from artifacts.search import index
from artifacts.services.commit import Arrived, commit_locked, prepare_upload
from artifacts.services.store import store_artifact
from artifacts.storage import Prepared
from orchestrator_site.kernel.errors import Hint, Invalid, TooLarge
from orchestrator_site.kernel.signals import project_files_changed
from orchestrator_site.kernel.text import without_bytes
from tasks import events
from tasks.choices import Status
from tasks.identity.actor import Actor
from tasks.models import Project, Task
from tasks.selectors.find import TaskName
from tasks.services.claim import locked
from tasks.services.complete import Completion, complete_locked


@dataclass(frozen=True, slots=True)
class Delivery:
    """What was stored, each work once, and what completing the task did."""

    versions: list[ArtifactVersion]
    completion: Completion

    @property
    def version(self) -> ArtifactVersion:
        """The first work that was stored; most often the only one."""
        return self.versions[0]


def prepare_work(text: str) -> Prepared:
    """Check a work and make it ready to be stored. Call it outside any transaction: it compresses and syncs.

    Raises Invalid for an empty or unstorable text, TooLarge above the limit, Transient where the disk refuses.
    """
    if not text.strip():
        raise Invalid(
            "detailed_work: there is no work in it.", next="Send the whole work; the summary alone is not kept as one."
        )
    limit = settings.ORCHESTRATOR_MAX_DELIVERY_BYTES
    if len(text) > limit:
        raise _too_large(len(text), limit)
    _refuse_half_characters(text)
    if len(text) * 4 > limit and len(text.encode()) > limit:
        raise _too_large(len(text.encode()), limit)
    return storage.prepare(text)


def prepare_uploads(
    task: Task, uploads: Sequence[Upload], *, actor: Actor | None = None, lease_number: int | None = None
) -> list[Arrived]:
    """Make works that arrived in parts ready to be stored. Call it outside any transaction.

    Raises Invalid for an upload of another task, and what `prepare_upload` raises.
    """
    for upload in uploads:
        if upload.task_id != task.pk:
            raise Invalid(
                f"upload_ids: {upload.public_id} belongs to {upload.task.public_id}.",
                next="Name the uploads of this task alone.",
            )
    return [prepare_upload(upload, actor=actor, lease_number=lease_number) for upload in uploads]


def deliver(
    *,
    task: Task | TaskName,
    actor: Actor,
    prepared: Prepared | None = None,
    uploads: Sequence[Arrived] = (),
    summary: str,
    outcome: Status = Status.COMPLETED,
    reason: str = "",
    kind: str = Kind.GENERAL,
    paths: Sequence[str] = (),
    lease_number: int | None = None,
) -> Delivery:
    """Store prepared work for a task and end the task with it; `paths`, normalised, are of `prepared` alone.

    `summary` and `kind` stand for those that an upload did not bring.

    Raises what `tasks.services.complete.complete` and `commit` raise; then nothing is stored either.
    """
    with transaction.atomic(), events.together(), index.together():
        task = locked(task)
        project_files_changed.send(Project, project=task.project)
        versions = _committed(task, actor, uploads, summary, kind)
        if prepared is not None:
            versions.append(
                store_artifact(task=task, actor=actor, prepared=prepared, kind=kind, summary=summary, paths=paths)
            )
        completion = complete_locked(
            task=task, actor=actor, summary=summary, outcome=outcome, reason=reason, lease_number=lease_number
        )
    return Delivery(versions, completion)


def _committed(task: Task, actor: Actor, uploads: Sequence[Arrived], summary: str, kind: str) -> list[ArtifactVersion]:
    """Commit uploads so that none becomes a version of another."""
    beside = {each.upload.version.artifact_id for each in uploads if each.upload.version}
    versions: list[ArtifactVersion] = []
    for each in uploads:
        versions.append(commit_locked(arrived=each, task=task, actor=actor, summary=summary, kind=kind, beside=beside))
        beside.add(versions[-1].artifact_id)
    return versions


def _refuse_half_characters(text: str) -> None:
    """A work may hold a NUL, which its bytes keep; half a surrogate pair has no bytes at all."""
    why = without_bytes(text)
    if why:
        raise Invalid(f"detailed_work: {why}.", next="Send the text as valid Unicode.")


def _too_large(size: int, limit: int) -> TooLarge:
    return TooLarge(
        f"detailed_work: {size:,} bytes; one call carries up to {limit:,}.",
        hint=Hint.UPLOAD,
        details={"limit_bytes": limit},
    )
