"""Hand in: end a task with the work of a person, who typed it, sent a file, or has only a summary to give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from artifacts.models import ArtifactVersion, Kind, Upload
from artifacts.services.commit import Arrived
from artifacts.services.deliver import deliver, prepare_uploads, prepare_work
from artifacts.services.upload import abort, append, begin
from artifacts.storage import Prepared
from orchestrator_site.kernel.errors import OrchestratorError, TooLarge, invalid
from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Task
from tasks.services import transitions
from tasks.services.claim import locked, require_ready
from tasks.services.complete import complete_locked, ending_problems
from tasks.services.guarded_action import require_seen


@dataclass(frozen=True, slots=True)
class Sent:
    """A file as it arrives: its bytes in order, and how many there are."""

    chunks: Iterable[bytes]
    size: int


@dataclass(frozen=True, slots=True)
class HandedIn:
    """The task as it stands then, and what was stored for it."""

    task: Task
    versions: list[ArtifactVersion]


def hand_in(
    *,
    task: Task,
    actor: Actor,
    summary: str,
    work: str = "",
    file: Sent | None = None,
    kind: str = Kind.GENERAL,
    paths: Sequence[str] = (),
    seen: str = "",
) -> HandedIn:
    """Store a text or a file for a task and end the task with it, or end it with a summary alone.

    `paths` are normalised; `seen` is as `ask` has it. What is refused stores nothing: the task is looked at before the
    file is taken in, and again with its row locked.

    Raises Invalid without a summary, TooLarge above the limits, Conflict where the task cannot be ended now or moved
    since it was seen, NotReady while it waits for others, Transient where the disk refuses.
    """
    problems = ending_problems(summary, Status.COMPLETED, "")
    if problems:
        raise invalid(problems)
    _require_may_end(task, seen)
    prepared = prepare_work(work) if work.strip() else None
    upload = _taken_in(task, actor, file, kind, paths) if file is not None else None
    try:
        arrived = prepare_uploads(task, [upload], actor=actor) if upload else []
        return _ended(task, actor, summary, prepared, arrived, kind, paths, seen)
    except OrchestratorError:
        if upload is not None:
            abort(upload=upload, actor=actor)
        raise


def _require_may_end(task: Task, seen: str) -> None:
    """Look at the task before anything large is read; what moves until the end is found then."""
    with transaction.atomic():
        task = locked(task)
        require_seen(task, seen)
        if task.status != Status.ACTIVE:
            transitions.require(task, Verb.CLAIM)
            require_ready(task)


def _taken_in(task: Task, actor: Actor, file: Sent, kind: str, paths: Sequence[str]) -> Upload:
    limit: int = settings.ORCHESTRATOR_MAX_UPLOAD_BYTES
    if file.size > limit:
        raise TooLarge(f"file: {file.size:,} bytes; a work may have {limit:,}.", details={"limit_bytes": limit})
    if not file.size:
        raise invalid([{"at": "file", "problem": "the file is empty"}])
    upload = begin(task=task, actor=actor, kind=kind, paths=paths, expected_size=file.size)
    try:
        for chunk in file.chunks:
            append(upload=upload, offset=upload.received, data=chunk)
    except OrchestratorError:
        abort(upload=upload, actor=actor)
        raise
    return upload


def _ended(
    task: Task,
    actor: Actor,
    summary: str,
    prepared: Prepared | None,
    arrived: list[Arrived],
    kind: str,
    paths: Sequence[str],
    seen: str,
) -> HandedIn:
    with transaction.atomic():
        held = locked(task)
        require_seen(held, seen)
        if prepared is None and not arrived:
            done = complete_locked(
                task=held, actor=actor, summary=summary, outcome=Status.COMPLETED, reason="", lease_number=None
            )
            return HandedIn(done.task, [])
        delivery = deliver(
            task=held, actor=actor, prepared=prepared, uploads=arrived, summary=summary, kind=kind, paths=paths
        )
        return HandedIn(delivery.completion.task, delivery.versions)
