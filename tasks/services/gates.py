"""Hold the gates of a task: what completes and what approves it asks here first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db import transaction

from orchestrator_site.kernel.errors import Forbidden, NotReady
from orchestrator_site.kernel.text import one_line, shortened
from tasks import events
from tasks.choices import GateKind, Rung, Verb
from tasks.gates.definition import Gate, gates_of
from tasks.gates.judging import Verdict
from tasks.gates.pieces import Piece
from tasks.identity.actor import Actor
from tasks.models import Task
from tasks.selectors.gates import GateState, deliveries_of, gates_on
from tasks.services.evidence import keep_evidence
from tasks.services.look import Look, look_at

SHOWN = 5
_WORDS = 160
T = TypeVar("T")


class GatesUnmet(NotReady):
    """A completion that gates keep back; `completing` records it once all else is undone."""

    task: Task
    actor: Actor
    unmet: dict[str, str]
    """Why not, by the name of each gate."""


class LookWanted(NotReady):
    """The files of the project have to be looked at first; `completing` does that outside any transaction."""

    task: Task
    pieces: Sequence[Piece]


def completing(call: Callable[[Look | None], T]) -> T:
    """Run a call that completes a task, outside any transaction: with a look at the files where its gates ask for one.

    What a gate keeps back is recorded, and only that.
    """
    try:
        try:
            return call(None)
        except LookWanted as wanted:
            return call(look_at(task=wanted.task, pieces=wanted.pieces))
    except GatesUnmet as unmet:
        with transaction.atomic():
            task, after = unmet.task, {"gates": unmet.unmet, "lease_number": unmet.task.lease_number}
            events.record(actor=unmet.actor, verb=Verb.MISS_GATE, project=task.project_id, task=task, after=after)
        raise


def require_for_completion(task: Task, actor: Actor, pieces: Sequence[Piece], look: Look | None) -> dict[str, Any]:
    """Keep the evidence and check the gates of a locked task that is about to be completed.

    Returns what the event notes, with `waits` true where a reviewer or the supervisor of a run has to judge the rest.
    Raises GatesUnmet, and LookWanted where `look` is None and the files matter.
    """
    gates = gates_of(task.gates)
    if look is None and any(_is_about_files(gate) for gate in gates):
        wanted = LookWanted(f"The files of {task.public_id} have to be looked at first.")
        wanted.task, wanted.pieces = task, pieces
        raise wanted
    look, deliveries = look or Look(), deliveries_of(task)
    if pieces:
        keep_evidence(task=task, actor=actor, pieces=pieces, look=look, deliveries=deliveries)
    states = gates_on(task, holder=actor, tree=look.tree)
    later = [state for state in states if not state.met and _is_judged_later(state.gate, task, actor)]
    if unmet := [state for state in states if not state.met and state not in later]:
        error = GatesUnmet(**_problem_of(task, unmet))
        error.task, error.actor = task, actor
        error.unmet = {state.gate.name: shortened(one_line(state.why_not), _WORDS) for state in unmet}
        raise error
    return {"deliveries": deliveries, "waits": bool(later)}


def require_for_approval(task: Task, actor: Actor) -> None:
    """Check the gates of a locked task that the actor is about to approve. Raises NotReady, Forbidden."""
    states = gates_on(task, verdict=Verdict(actor.kind, actor.name))
    unmet = [state for state in states if not state.met]
    mine = [state for state in unmet if state.gate.is_for_reviewer]
    if mine:
        raise Forbidden(
            f"{mine[0].gate.name}: {mine[0].why_not}.", next="Leave it to a person.", details={"gates": _rows(mine)}
        )
    if unmet:
        raise NotReady(**_problem_of(task, unmet))


def _is_about_files(gate: Gate) -> bool:
    return not gate.is_for_reviewer and (gate.kind == GateKind.COMMIT or gate.rung >= Rung.OBSERVED)


def is_for_another(task: Task) -> bool:
    """Whether a gate of a task asks for the approval of another than who delivered it."""
    return any(gate.kind == GateKind.REVIEW for gate in gates_of(task.gates))


def _is_judged_later(gate: Gate, task: Task, actor: Actor) -> bool:
    """Whether the verdict judges a gate, or the supervisor of the actor's run, which looks for itself."""
    if gate.is_for_reviewer:
        return True
    if actor.only_task is None:
        return False
    commands = task.project.commands
    if gate.kind == GateKind.REPORT:
        return any(command.get("report") for command in commands.values())
    return gate.kind == GateKind.COMMIT or gate.command in commands


def _problem_of(task: Task, unmet: list[GateState]) -> dict[str, Any]:
    names = ", ".join(state.gate.name for state in unmet)
    more = {"gates_total": len(unmet)} if len(unmet) > SHOWN else {}
    is_one = len(unmet) == 1
    return {
        "message": f"{task.public_id}: {'the gate' if is_one else f'{len(unmet)} gates'} {names} "
        f"{'is' if is_one else 'are'} not met.",
        "next": f"{unmet[0].next}. Where it cannot be met, a reviewer waives it with a reason.".replace("..", "."),
        "details": {"gates": _rows(unmet), **more},
    }


def _rows(states: list[GateState]) -> list[dict[str, str]]:
    return [
        {
            "gate": state.gate.name,
            "asks": shortened(state.asks, _WORDS),
            "came": shortened(one_line(state.came), _WORDS),
            "why_not": shortened(one_line(state.why_not), _WORDS),
            "next": state.next,
        }
        for state in states[:SHOWN]
    ]
