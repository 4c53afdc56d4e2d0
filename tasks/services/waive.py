"""Waive a gate that cannot be met: a reviewer's word, with a reason, and never the holder's."""

from __future__ import annotations

from django.db import transaction

from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.limits import require_texts
from tasks import events
from tasks.choices import FINISHED, GateKind, Verb
from tasks.gates.definition import gates_of
from tasks.identity.actor import Actor
from tasks.models import Event, Task, Waiver
from tasks.services import leases, transitions
from tasks.services.claim import locked

_HOLDS = (Verb.CLAIM, Verb.COMPLETE, Verb.FINISH)


def waive(*, task: Task, actor: Actor, gate: str, reason: str) -> Waiver:
    """Let a task be completed without a gate. Waived once more, the first waiver stays if it counts.

    Raises Forbidden for an actor that may not review, or that holds or delivered the task, Invalid without a reason or
    for an unknown gate, Conflict where the task is finished.
    """
    actor.require(Scope.REVIEW)
    require_texts(reason=reason)
    if not reason.strip():
        raise Invalid("reason: say why the gate need not be met.", next="Retry with a reason.")
    with transaction.atomic():
        task = locked(task)
        transitions.require_on_board(task)
        _require_may_waive(task, actor, gate)
        if known := Waiver.objects.filter(task=task, gate=gate).select_related("session").first():
            if not is_holder(task, Actor.of(known)):
                return known
            known.delete()
        by = {"session": actor.session, "actor_kind": actor.kind, "actor_name": actor.name}
        waiver = Waiver.objects.create(task=task, gate=gate, reason=reason, **by)
        after = {"gate": gate, "reason": reason}
        events.record(actor=actor, verb=Verb.WAIVE, project=task.project_id, task=task, after=after)
    return waiver


def _require_may_waive(task: Task, actor: Actor, name: str) -> None:
    gates = {gate.name: gate for gate in gates_of(task.gates)}
    if name not in gates:
        raise Invalid(
            f"gate: {task.public_id} has no gate {name[:64]!r}.", next=f"It has: {', '.join(gates) or 'none'}."
        )
    if task.status in FINISHED:
        raise Conflict(f"{task.public_id} is {task.status}: its gates are judged no more.", next="Leave it.")
    if gates[name].kind == GateKind.APPROVAL and actor.kind != "person":
        raise Forbidden(f"{name} asks for a person, so only a person waives it.", next="Ask a person.")
    if is_holder(task, actor):
        raise Forbidden(
            f"{task.public_id} is yours: another waives its gates.",
            next="Ask a person, or an assistant with another token or connection, and say why it cannot be met.",
        )


def is_holder(task: Task, actor: Actor) -> bool:
    """Whether the actor holds a task, or was the last to claim or deliver it."""
    if leases.is_holder(task, actor):
        return True
    last = Event.objects.filter(task=task, verb__in=_HOLDS).select_related("session").order_by("-id").first()
    return last is not None and actor.is_same(Actor.of(last))
