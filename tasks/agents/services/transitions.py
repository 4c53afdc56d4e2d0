"""The one function that sets a run's state, and the one by which its supervisor writes anything else."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from orchestrator_site.kernel.errors import Conflict
from tasks import events
from tasks.agents.choices import LIVE, WORKING, RunState
from tasks.agents.models import Run
from tasks.agents.state_machine import TABLE
from tasks.choices import Verb
from tasks.identity.actor import Actor

REASON_LENGTH = 2_000


class NotKept(Conflict):
    """Another supervisor has taken the run over; whoever gets this leaves it alone."""


def move(run: Run, to: RunState, *, actor: Actor, reason: str = "", **fields: Any) -> Run:
    """Set the state of a run with whatever else changes with it, and write the event.

    Raises Conflict where that state does not follow, NotKept where the run changed since it was read.
    """
    before = RunState(run.state)
    if to not in TABLE[before]:
        raise Conflict(
            f"{run.public_id} is {before.value}: it cannot be {to.value} next.",
            next=f"Possible from {before.value}: {', '.join(sorted(TABLE[before])) or 'nothing'}.",
        )
    changes = {"state": to, "reason": reason[:REASON_LENGTH], "ended_at": None, **fields}
    if to not in LIVE:
        changes |= {"ended_at": timezone.now(), "token_digest": ""}
    if to not in WORKING:
        changes["supervisor"] = None
    with transaction.atomic():
        write(run, where={"state": before}, **changes)
        note = {"run": run.public_id, "state": to.value, "reason": reason[:REASON_LENGTH]}
        events.record(
            actor=actor,
            verb=Verb.RUN,
            project=run.project_id,
            task=run.task,
            before={"state": before.value},
            after={name: value for name, value in note.items() if value},
        )
    return run


def write(run: Run, *, where: dict[str, Any] | None = None, **fields: Any) -> None:
    """Change columns of a run that the caller still keeps. Raises NotKept."""
    if not Run.objects.filter(pk=run.pk, keeping=run.keeping, **(where or {})).update(**fields):
        raise NotKept(f"{run.public_id} was changed at the same time.", next="Read it again and decide.")
    for name, value in fields.items():
        setattr(run, name, value)
