"""Deliver: store what was done and end the task with it, in one step that holds or leaves nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction

from artifacts import paths, storage
from artifacts.models import ArtifactVersion, Kind
from artifacts.search import index
from artifacts.selectors.artifacts import upload_by_id
from artifacts.services.commit import Arrived, commit_locked, prepare_upload
from artifacts.services.store import store_artifact
from artifacts.services.upload import abort, append, begin
from artifacts.storage import Prepared
from artifacts.truncation import warnings_of
from orchestrator_site.kernel.errors import Hint, Invalid, OrchestratorError, TooLarge, invalid
from orchestrator_site.kernel.signals import delivered, project_files_changed
from orchestrator_site.kernel.text import without_bytes
from tasks import events
from tasks.choices import Status, Verb
from tasks.gates.pieces import Piece
from tasks.identity.actor import Actor
from tasks.models import Note, Project, Task
from tasks.selectors.find import TaskName, task_by_id
from tasks.services import transitions
from tasks.services.actions import require_seen
from tasks.services.attempts import UNKNOWN, Usage
from tasks.services.claim import locked, locked_with_graph, require_ready
from tasks.services.complete import Completion, complete_locked, ending_problems
from tasks.services.gates import completing
from tasks.services.look import Look
from tasks.services.notes import Decision, keep_notes, note_problems, notes_of

OUTCOMES = {
    "continue": Status.COMPLETED,
    "complete": Status.COMPLETED,
    "needs_revision": Status.NEEDS_REVISION,
    "blocked": Status.BLOCKED,
}
"""The status that each `next_action` asks for."""
DEFAULT_ACTION = "complete"
UPLOADS_LIMIT = 100
_NO_LOOK = Look()


@dataclass(frozen=True, slots=True)
class IncomingFile:
    """A file as it arrives: its bytes in order, and how many there are."""

    chunks: Iterable[bytes]
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRequest:
    """What a caller delivers: a text, uploads or a file. `seen` is the state in which a page showed the task."""

    summary: str
    text: str | None = None
    upload_ids: Sequence[str] = ()
    file: IncomingFile | None = None
    outcome: Status = Status.COMPLETED
    reason: str = ""
    kind: str = Kind.GENERAL
    paths: Sequence[str] = ()
    expected_size: int | None = None
    lease_number: int | None = None
    decisions: Sequence[Decision] = ()
    learned: Sequence[str] = ()
    evidence: Sequence[Piece] = ()
    usage: Usage = UNKNOWN
    seen: str = ""


@dataclass(frozen=True, slots=True)
class PreparedDelivery:
    """A request that was checked, with its bytes ready to be stored; `paths` are normalised."""

    task: Task | TaskName
    actor: Actor
    request: DeliveryRequest
    paths: list[str]
    text: Prepared | None
    uploads: list[Arrived]
    warnings: list[str]
    notes: list[Note]

    @property
    def sha256(self) -> str | None:
        """The hash of the text, which replaces it in the fingerprint of a request."""
        return self.text.sha256 if self.text else None


@dataclass(frozen=True, slots=True)
class Delivery:
    """What was stored, each artifact once, and what completing the task did."""

    versions: list[ArtifactVersion]
    completion: Completion


def prepare_delivery(*, task: Task | TaskName, actor: Actor, request: DeliveryRequest) -> PreparedDelivery:
    """Check a request and make its bytes ready. Call it outside any transaction: it compresses and syncs.

    Raises Invalid with every problem, TooLarge above the limits, NotFound for an unknown upload, Transient where the
    disk refuses; where a file comes with it, also Conflict and NotReady as `deliver` does, before the file is read.
    """
    logical_paths, problems = paths.all_normalised(list(request.paths))
    problems += ending_problems(request.summary, request.outcome, request.reason)
    problems += _content_problems(request, is_optional=actor.kind != "assistant")
    notes = notes_of(request.decisions, request.learned)
    problems += note_problems(notes)
    if problems:
        raise invalid(problems, next="Fix these and retry.")
    text = None if request.text is None else prepare_text(request.text)
    arrived = _arrive(task, actor, request, logical_paths) if request.upload_ids or request.file else []
    warnings = warnings_of(
        request.text,
        kind=request.kind,
        paths=logical_paths,
        uploads=[each.upload for each in arrived],
        expected_size=request.expected_size,
    )
    return PreparedDelivery(task, actor, request, logical_paths, text, arrived, warnings, notes)


def _arrive(
    task: Task | TaskName, actor: Actor, request: DeliveryRequest, logical_paths: Sequence[str]
) -> list[Arrived]:
    if isinstance(task, TaskName):
        task = task_by_id(task.project, task.public_id)
    if request.file is not None:
        _require_may_end(task, request.seen)
        return [_take_in(task, actor, request.file, request.kind, logical_paths)]
    uploads = [upload_by_id(task.project, each) for each in request.upload_ids]
    for upload in uploads:
        if upload.task_id != task.pk:
            raise Invalid(
                f"upload_ids: {upload.public_id} belongs to {upload.task.public_id}.",
                next="Send only uploads of this task.",
            )
    return [prepare_upload(upload, actor=actor, lease_number=request.lease_number) for upload in uploads]


def deliver(prepared: PreparedDelivery, look: Look | None = _NO_LOOK) -> Delivery:
    """Store what was prepared and end the task. The request's summary and kind are for uploads that have none.

    Call it by `tasks.services.gates.completing`, which gives the `look` at the files that some gates ask for; by
    `deliver_with_file` where one may come with it.

    Raises what `complete` and `commit` raise, and Conflict where the task moved since it was seen; then nothing is
    stored.
    """
    with transaction.atomic(), events.together(), index.together():
        return _deliver(prepared, look)


def deliver_with_file(prepared: PreparedDelivery) -> Delivery:
    """Do what `deliver` does, by `completing`. A file that came with it is not kept if that fails."""
    try:
        return completing(partial(deliver, prepared))
    except OrchestratorError:
        if prepared.request.file is not None:
            abort(upload=prepared.uploads[0].upload, actor=prepared.actor)
        raise


def _deliver(prepared: PreparedDelivery, look: Look | None) -> Delivery:
    request, actor = prepared.request, prepared.actor
    task = locked_with_graph(prepared.task)
    require_seen(task, request.seen)
    if prepared.text is not None or prepared.uploads:
        project_files_changed.send(Project, project=task.project)
    versions = _commit_all(task, prepared)
    if prepared.text is not None:
        version = store_artifact(
            task=task,
            actor=actor,
            prepared=prepared.text,
            kind=request.kind,
            summary=request.summary,
            paths=prepared.paths,
        )
        versions.append(version)
    completion = complete_locked(
        task=task,
        actor=actor,
        summary=request.summary,
        outcome=request.outcome,
        reason=request.reason,
        lease_number=request.lease_number,
        evidence=request.evidence,
        look=look,
        usage=request.usage,
    )
    if prepared.notes:
        keep_notes(prepared.notes, task=completion.task, actor=actor)
    said = [request.summary, *(note.text for note in prepared.notes), *([request.text] if request.text else [])]
    delivered.send(Task, task=completion.task, lease_number=completion.task.lease_number, texts=said)
    return Delivery(versions, completion)


def prepare_text(text: str) -> Prepared:
    """Make a text ready to be stored. Call it outside any transaction.

    Raises Invalid for an empty or unstorable text, TooLarge above the limit, Transient where the disk refuses.
    """
    if not text.strip():
        raise Invalid("detailed_work: it is empty.", next="Send all of it; the summary alone does not count.")
    limit = settings.ORCHESTRATOR_MAX_DELIVERY_BYTES
    if len(text) > limit:
        raise _too_large(len(text), limit)
    # NUL has a byte of its own and is kept; half a surrogate pair has none.
    if why := without_bytes(text):
        raise Invalid(f"detailed_work: {why}.", next="Send valid Unicode.")
    if len(text) * 4 > limit and len(text.encode()) > limit:
        raise _too_large(len(text.encode()), limit)
    return storage.prepare(text)


def _content_problems(request: DeliveryRequest, *, is_optional: bool) -> list[dict[str, Any]]:
    """Check how the content comes. An assistant delivers it; a person may have only a summary to give."""
    problems: list[dict[str, Any]] = []
    if request.kind not in Kind.values:
        problems.append({"at": "artifact_type", "problem": "unknown kind", "allowed": Kind.values})
    if request.text is not None and request.file is not None:
        problems.append({"at": "file", "problem": "send a text or a file, not both"})
    if request.upload_ids:
        return problems + _upload_problems(request)
    if request.text is None and request.file is None:
        if not is_optional:
            problems.append({"at": "detailed_work", "problem": "is required, unless upload_ids are sent"})
        elif request.paths:
            problems.append({"at": "file_paths", "problem": "nothing is delivered for these paths"})
    return problems


def _upload_problems(request: DeliveryRequest) -> list[dict[str, Any]]:
    ids = request.upload_ids
    has_bad_ids = len(ids) > UPLOADS_LIMIT or len(set(ids)) < len(ids)
    checks = (
        (request.text is not None, "detailed_work", "cannot be combined with upload_ids"),
        (bool(request.paths), "file_paths", "were set when the uploads began; omit them"),
        (request.expected_size is not None, "expected_size", "is set when an upload begins; omit it"),
        (has_bad_ids, "upload_ids", f"must be up to {UPLOADS_LIMIT} different ids"),
    )
    return [{"at": at, "problem": problem} for is_wrong, at, problem in checks if is_wrong]


def _require_may_end(task: Task, seen: str) -> None:
    """Check the task before anything large is read; what changes until the end is found then."""
    with transaction.atomic():
        task = locked(task)
        require_seen(task, seen)
        if task.status != Status.ACTIVE:
            transitions.require(task, Verb.CLAIM)
            require_ready(task)


def _take_in(task: Task, actor: Actor, file: IncomingFile, kind: str, logical_paths: Sequence[str]) -> Arrived:
    limit: int = settings.ORCHESTRATOR_MAX_UPLOAD_BYTES
    if file.size > limit:
        raise TooLarge(f"file: {file.size:,} bytes; the limit is {limit:,}.", details={"limit_bytes": limit})
    if not file.size:
        raise invalid([{"at": "file", "problem": "the file is empty"}])
    upload = begin(task=task, actor=actor, kind=kind, paths=logical_paths, expected_size=file.size)
    try:
        for chunk in file.chunks:
            append(upload=upload, offset=upload.received, data=chunk)
        return prepare_upload(upload, actor=actor)
    except OrchestratorError:
        abort(upload=upload, actor=actor)
        raise


def _commit_all(task: Task, prepared: PreparedDelivery) -> list[ArtifactVersion]:
    """Commit uploads so that none becomes a version of another."""
    request = prepared.request
    beside = {each.upload.version.artifact_id for each in prepared.uploads if each.upload.version}
    versions: list[ArtifactVersion] = []
    for each in prepared.uploads:
        version = commit_locked(
            arrived=each, task=task, actor=prepared.actor, summary=request.summary, kind=request.kind, beside=beside
        )
        versions.append(version)
        beside.add(version.artifact_id)
    return versions


def _too_large(size: int, limit: int) -> TooLarge:
    return TooLarge(
        f"detailed_work: {size:,} bytes; the limit is {limit:,}.", hint=Hint.UPLOAD, details={"limit_bytes": limit}
    )
