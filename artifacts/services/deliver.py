"""Deliver: store the work and end the task, in one step that holds or leaves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from artifacts import store
from artifacts.models import ArtifactVersion, Kind
from artifacts.services.store import store_artifact
from artifacts.store import Prepared
from tasks.actors import Actor
from tasks.choices import Status
from tasks.errors import Invalid, TooLarge
from tasks.models import Task
from tasks.services.claim import locked
from tasks.services.complete import Completion, complete_locked
from tasks.text import unstorable


@dataclass(frozen=True, slots=True)
class Delivery:
    """What was stored, and what completing the task did."""

    version: ArtifactVersion
    completion: Completion


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
    return store.prepare(text)


def deliver(
    *,
    task: Task,
    actor: Actor,
    prepared: Prepared,
    summary: str,
    outcome: Status = Status.COMPLETED,
    reason: str = "",
    kind: str = Kind.GENERAL,
    paths: Sequence[str] = (),
    lease_number: int | None = None,
) -> Delivery:
    """Store prepared work for a task and end the task with it; `paths` are normalised.

    Raises what `tasks.services.complete.complete` raises; then nothing is stored either.
    """
    with transaction.atomic():
        task = locked(task)
        version = store_artifact(task=task, actor=actor, prepared=prepared, kind=kind, summary=summary, paths=paths)
        completion = complete_locked(
            task=task, actor=actor, summary=summary, outcome=outcome, reason=reason, lease_number=lease_number
        )
    return Delivery(version, completion)


def _refuse_half_characters(text: str) -> None:
    """A work may hold a NUL, which its bytes keep; half a surrogate pair has no bytes at all."""
    why = unstorable(text.replace("\x00", ""))
    if why:
        raise Invalid(f"detailed_work: {why}.", next="Send the text as valid Unicode.")


def _too_large(size: int, limit: int) -> TooLarge:
    return TooLarge(
        f"detailed_work: {size:,} bytes; one call carries up to {limit:,}.",
        next="Split the task and deliver the parts, each with its own subtask.",
        details={"limit_bytes": limit},
    )
