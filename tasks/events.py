"""The audit trail: one row per change, written in the transaction of the change itself."""

from __future__ import annotations

from typing import Any

from orchestrator_site.kernel.batch import Batch
from orchestrator_site.kernel.compiled import insert_all
from tasks.choices import Verb
from tasks.identity.actor import Actor
from tasks.models import Event, Project, Task

_OF_A_RUN = (
    Verb.CLAIM, Verb.DELIVER, Verb.COMPLETE, Verb.HAND_BACK, Verb.BLOCK, Verb.COMMENT, Verb.GIVE_EVIDENCE,
    Verb.MISS_GATE,
)  # fmt: skip
_OF_SESSIONS = (Verb.OPEN_SESSION, Verb.END_SESSION)
_batch: Batch[Event] = Batch(insert_all)
together = _batch.together


def record(
    *,
    actor: Actor,
    verb: Verb,
    project: Project | int,
    task: Task | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> Event:
    """Write an event. Call it inside the transaction of the change.

    Raises Forbidden, so that the change is undone, where an agent in a run changes anything but its own task.
    """
    if verb not in _OF_SESSIONS:
        actor.require_task(task.pk if task and verb in _OF_A_RUN else None)
    event = Event(
        project_id=project if isinstance(project, int) else project.pk,
        task=task,
        session=actor.session,
        actor_kind=actor.kind,
        actor_name=actor.name,
        verb=verb,
        before=before or {},
        after=after or {},
    )
    _batch.add([event])
    return event
