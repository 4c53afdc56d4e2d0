"""Take in evidence for the gates of a task, and say how far each piece of it can be trusted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.db import transaction

from orchestrator_site.kernel.compiled import insert_all
from orchestrator_site.kernel.errors import Conflict, Invalid, invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.ids import evidence_id
from orchestrator_site.kernel.limits import check_texts
from tasks import events
from tasks.choices import GateKind, Rung, Status, Verb
from tasks.gates.definition import GATES_LIMIT, Gate, gates_of
from tasks.gates.pieces import Piece
from tasks.gates.reports import UnreadableReport, against
from tasks.identity.actor import Actor
from tasks.models import Evidence, Task
from tasks.selectors.gates import deliveries_of
from tasks.services import leases, transitions
from tasks.services.challenge import answered
from tasks.services.claim import locked
from tasks.services.look import PLACE, Look, look_at_commits

__all__ = ["Piece", "give_evidence", "keep_evidence"]

OUTPUT_LIMIT = 64 * 1024
"""Characters of what a command printed that are kept: the beginning and the end."""
FACTS_BYTES = 4_000
_DIGITS = 7  # of a commit: as few as may name it
OPEN = (Status.ACTIVE, Status.IN_REVIEW)


def give_evidence(
    *,
    task: Task,
    actor: Actor,
    pieces: Sequence[Piece],
    lease_number: int | None = None,
    rung: Rung | None = None,
    look: Look | None = None,
) -> list[Evidence]:
    """Keep evidence for a task that is being done or reviewed. The same piece again is the row that is there.

    The rung follows from who gives it and how; only the system passes one. A caller with a transaction of its own has
    looked at the commits before it. Raises Invalid for a piece that is for no
    gate of the task, Conflict where the task is at another stage, or the attempt is another's.
    """
    look = look or look_at_commits(task=task, pieces=pieces)
    with transaction.atomic():
        task = locked(task)
        transitions.require_on_board(task)
        if task.status not in OPEN:
            raise Conflict(
                f"{task.public_id} is {task.status}: evidence is for an attempt at it.",
                next="Claim it first.",
                details={"status": task.status},
            )
        _require_may_give(task, actor, pieces, lease_number)
        return keep_evidence(task=task, actor=actor, pieces=pieces, look=look, rung=rung)


def keep_evidence(
    *,
    task: Task,
    actor: Actor,
    pieces: Sequence[Piece],
    look: Look,
    rung: Rung | None = None,
    deliveries: int | None = None,
) -> list[Evidence]:
    """Do what `give_evidence` does, in the caller's transaction, for a locked row and an actor who may.

    `deliveries` is how many deliveries the task has, where the caller knows that.
    """
    pieces = _checked(task, pieces)
    gates = {gate.name: gate for gate in gates_of(task.gates)}
    deliveries = deliveries_of(task) if deliveries is None else deliveries
    made = [_row(task, actor, each, gates[each.gate], look, rung, deliveries) for each in pieces]
    kept, new = _without_replays(task, made)
    insert_all(new)
    for row in new:
        after = {"gate": row.gate, "rung": Rung(row.rung).label, "passed": row.passed}
        events.record(actor=actor, verb=Verb.GIVE_EVIDENCE, project=task.project_id, task=task, after=after)
    return kept


def _require_may_give(task: Task, actor: Actor, pieces: Sequence[Piece], lease_number: int | None) -> None:
    """Check that evidence comes from the holder, a person, the system, or an observer that answers challenges."""
    leases.require_number(task, lease_number)
    if pieces and all(piece.challenge for piece in pieces):
        return  # each names task and lease
    actor.require(Scope.WRITE)
    leases.require_holder(task, actor, lease_number=lease_number)
    if actor.kind == "assistant" and not leases.holds(task, actor, lease_number):
        raise Conflict(
            f"{task.public_id} is not yours: evidence comes from its holder, or from a command that is observed.",
            next="Claim it first, or run manage.py attest.",
            details={"status": task.status},
        )


def _checked(task: Task, pieces: Sequence[Piece]) -> list[Piece]:
    """Return pieces that name their gates. Raises Invalid with every problem."""
    names = [gate.name for gate in gates_of(task.gates)]
    if not names:
        raise Invalid(f"evidence: {task.public_id} has no gates.", next="Omit evidence.")
    if len(pieces) > GATES_LIMIT:
        raise Invalid(f"evidence: {len(pieces):,} pieces; {GATES_LIMIT} are allowed.", next="Send one for each gate.")
    open_names = [gate.name for gate in gates_of(task.gates) if not gate.is_for_reviewer]
    named = [piece if piece.gate else replace(piece, gate=_only(open_names)) for piece in pieces]
    problems: list[dict[str, Any]] = []
    for number, piece in enumerate(named):
        at = f"evidence[{number}]."
        problems += check_texts({"summary": piece.summary, "output": piece.output[:OUTPUT_LIMIT]}, at=at)
        problems += check_texts({"commit": piece.commit, "fingerprint": piece.fingerprint}, at=at)
        if piece.gate not in names:
            problems.append({"at": f"{at}gate", "problem": f"no gate {piece.gate[:64]!r}", "allowed": names})
        if max(len(piece.commit), len(piece.fingerprint)) > 64 or len(json.dumps(dict(piece.facts))) > FACTS_BYTES:
            problems.append({"at": at.rstrip("."), "problem": "commit, fingerprint or facts are too long"})
    if problems:
        raise invalid(problems, next="Fix these and retry.")
    return named


def _only(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ""


def _row(
    task: Task, actor: Actor, piece: Piece, gate: Gate, look: Look, rung: Rung | None, deliveries: int
) -> Evidence:
    reached, sha256 = _rung(task, actor, piece, gate, look, rung)
    if reached != Rung.OBSERVED:  # no one saw which files it is about
        facts = {name: value for name, value in piece.facts.items() if name != PLACE}
        piece = replace(piece, facts=facts, fingerprint="")
    facts, problem = _assessed(task, piece, gate)
    if gate.kind == GateKind.COMMIT:
        problem = problem or look.commits.get((gate.name, piece.commit)) or _met_before(task, actor, piece, gate)
    passed = piece.passed is not False and not problem
    return Evidence(
        public_id=evidence_id(), task=task, lease_number=task.lease_number, gate=gate.name, kind=gate.kind,
        rung=reached, passed=passed, summary=problem or piece.summary, facts={**facts, "asked": gate.digest},
        output=_bounded(piece.output), fingerprint=piece.fingerprint, commit=piece.commit.strip(),
        deliveries=deliveries, sha256=sha256, session=actor.session, actor_kind=actor.kind, actor_name=actor.name,
    )  # fmt: skip


def _rung(task: Task, actor: Actor, piece: Piece, gate: Gate, look: Look, said: Rung | None) -> tuple[Rung, str]:
    """Return how far a piece can be trusted, and the hash by which it is known again."""
    if piece.challenge:
        return Rung.OBSERVED, answered(piece.challenge, task=task, gate=gate.name, actor=actor)
    own = [task.public_id, task.lease_number, gate.name, piece.passed, piece.summary, dict(piece.facts)]
    sha256 = _hash(piece.report or json.dumps([*own, piece.output, piece.commit, piece.fingerprint], default=str))
    if said is not None and actor.kind == "system":
        return said, sha256
    if gate.kind == GateKind.COMMIT and look.commits.get((gate.name, piece.commit)) == "":
        return Rung.VERIFIED, sha256
    return (Rung.REPORTED if _is_about(gate, piece) else Rung.CLAIMED), sha256


def _is_about(gate: Gate, piece: Piece) -> bool:
    """Whether a piece has the facts that a gate of its kind asks for."""
    match gate.kind:
        case GateKind.COMMAND:
            return "exit_code" in piece.facts
        case GateKind.REPORT:
            return bool(piece.report) or "tests" in piece.facts
        case GateKind.COMMIT:
            return bool(piece.commit)
        case _:
            return False


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _assessed(task: Task, piece: Piece, gate: Gate) -> tuple[dict[str, Any], str]:
    """Return the facts of a piece, and what speaks against it."""
    facts, report = dict(piece.facts), piece.read
    if isinstance(report, UnreadableReport):
        return facts, str(report)
    facts |= report.facts if report else {}
    if facts.get("exit_code"):
        return facts, piece.summary or f"it ended with exit code {facts['exit_code']}"
    if "tests" in facts or (gate.kind == GateKind.REPORT and facts) or (piece.challenge and _writes_report(task, gate)):
        return facts, against(gate, facts, report)
    return facts, ""


def _met_before(task: Task, actor: Actor, piece: Piece, gate: Gate) -> str:
    """Say so if a commit met its gate in an earlier attempt; the system looks at all that came since a run's base."""
    if actor.kind == "system" or not piece.commit:
        return ""
    of_gate = Evidence.objects.filter(task=task, gate=gate.name, passed=True, rung__gte=gate.rung)
    earlier = of_gate.filter(lease_number__lt=task.lease_number, commit__istartswith=piece.commit.strip()[:_DIGITS])
    return "it is of an earlier attempt: make a newer commit" if earlier.exists() else ""


def _writes_report(task: Task, gate: Gate) -> bool:
    return gate.kind == GateKind.REPORT or bool(task.project.commands.get(gate.command, {}).get("report"))


def _bounded(output: str) -> str:
    if len(output) <= OUTPUT_LIMIT:
        return output
    half = OUTPUT_LIMIT // 2
    return f"{output[:half]}\n… {len(output) - 2 * half:,} characters left out …\n{output[-half:]}"


def _without_replays(task: Task, made: list[Evidence]) -> tuple[list[Evidence], list[Evidence]]:
    """Return the rows that hold for what came, and those of them that are new."""
    of_project = Evidence.objects.filter(task__project=task.project_id).select_related("task").defer("output")
    there = of_project.filter(sha256__in=[row.sha256 for row in made])
    kept: list[Evidence] = []
    new: list[Evidence] = []
    for row in made:
        same = [each for each in [*there, *new] if each.sha256 == row.sha256]
        known = next((each for each in same if _place(each) == _place(row)), None)
        if known is None:
            if other := next((each for each in same if _place(each)[:2] != _place(row)[:2]), None):
                row.passed = False
                row.summary = f"the same came for lease {other.lease_number} of {other.task.public_id}"
            new.append(row)
        kept.append(known or row)
    return kept, new


def _place(row: Evidence) -> tuple[int, int, str]:
    return row.task_id, row.lease_number, row.gate
