"""Judge the gates of a task: which are met, by what, and why what came does not count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from tasks.choices import GateKind, Rung
from tasks.gates.definition import Gate

S = TypeVar("S")
"""A stored piece of evidence: gate, rung, passed, summary, facts, fingerprint, lease_number, deliveries."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An approval of the newest delivery, by an assistant, a person or the system."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a task is: its lease, its deliveries, the files as they are now where they were looked at."""

    lease_number: int
    deliveries: int = 0
    waived: Collection[str] = ()
    verdict: Verdict | None = None
    tree: str = ""


@dataclass(frozen=True, slots=True)
class Judged(Generic[S]):
    """A gate with the evidence that meets it, or else the newest that came and why it does not count."""

    gate: Gate
    met: bool
    evidence: S | None = None
    why_not: str = ""


def judge(gates: Sequence[Gate], shown: Sequence[S], at: Standing) -> list[Judged[S]]:
    """Judge gates by evidence in the order in which it came."""
    tree = at.tree or _newest_tree(shown, at)
    came: dict[str, list[Any]] = defaultdict(list)
    for piece in cast(Sequence[Any], shown):
        came[piece.gate].append(piece)
    return [_judged(gate, came[gate.name], at, tree) for gate in gates]


def _judged(gate: Gate, came: list[Any], at: Standing, tree: str) -> Judged[Any]:
    newest = came[-1] if came else None
    if gate.name in at.waived:
        return Judged(gate, True, newest)
    if gate.is_for_reviewer:
        why = _against_verdict(gate, at.verdict)
        return Judged(gate, not why, newest, why)
    able = [each for each in came if each.rung >= gate.rung and each.lease_number == at.lease_number]
    decides = able[-1] if able else newest  # a newer failure outweighs an older success
    if decides is None:
        return Judged(gate, False, None, "nothing came")
    why = _against(gate, decides, at, tree)
    return Judged(gate, not why, decides, why)


def _against(gate: Gate, piece: Any, at: Standing, tree: str) -> str:
    if piece.lease_number != at.lease_number:
        return f"it is of lease {piece.lease_number}, an earlier attempt"
    if piece.rung < gate.rung:
        return f"it is {Rung(piece.rung).label}, and the gate asks for {gate.rung.label}"
    if piece.facts.get("asked", gate.digest) != gate.digest:
        return "the gate was changed after it came"
    if not piece.passed:
        return piece.summary or "it did not pass"
    if piece.deliveries < at.deliveries:
        return "it is stale: something was delivered after it"
    if tree and piece.fingerprint not in ("", tree):
        return "it is stale: the files have changed since"
    return ""


def _against_verdict(gate: Gate, verdict: Verdict | None) -> str:
    if verdict is None:
        return "it waits for the verdict on the delivery"
    if gate.kind == GateKind.APPROVAL and verdict.kind != "person":
        return f"{verdict.name} approved it, and the gate asks for a person"
    return f"{verdict.name} approved it, and the gate asks for a reviewer" if verdict.kind == "system" else ""


def _newest_tree(shown: Sequence[Any], at: Standing) -> str:
    """Return the files as they were when a command was last observed in this attempt."""
    seen = (
        each.fingerprint
        for each in reversed(shown)
        if each.fingerprint and each.rung == Rung.OBSERVED and each.lease_number == at.lease_number
    )
    return next(seen, "")


def asks(gate: Gate) -> str:
    """Say what counts for a gate."""
    if gate.rung == Rung.CLAIMED:
        return f"a sentence on {gate.name}; it is taken as claimed"
    match gate.kind:
        case GateKind.COMMAND:
            what = f"the command {gate.command} ends with exit code 0"
        case GateKind.REPORT:
            named = f", {', '.join(gate.tests)} among them" if gate.tests else ""
            what = f"a JUnit report in which tests pass and none fails{named}"
        case GateKind.COMMIT:
            what = f"a commit that touches {', '.join(gate.paths) or 'the planned files'}"
        case GateKind.REVIEW:
            return "another than who delivered approves it"
        case GateKind.APPROVAL:
            return "a person approves it"
    return f"{what}; at least {gate.rung.label}"


def next_call(gate: Gate, task_id: str) -> str:
    """Say what to do for a gate that is not met."""
    if gate.is_for_reviewer:
        return "Complete the task; then it waits for a reviewer."
    if gate.kind == GateKind.COMMAND and gate.rung >= Rung.OBSERVED:
        return f"Run in the user's shell: manage.py attest {gate.command} --task {task_id}"
    if gate.kind == GateKind.REPORT and gate.rung >= Rung.OBSERVED:
        return f"Run in the user's shell one that writes it: manage.py attest NAME --gate {gate.name} --task {task_id}"
    if gate.rung == Rung.CLAIMED:
        return f'Complete it with evidence=[{{"gate": "{gate.name}", "summary": "<what there is to say>"}}]'
    send = {
        GateKind.COMMAND: '"exit_code": 0',
        GateKind.REPORT: '"report": "<the JUnit XML>"',
        GateKind.COMMIT: '"commit": "<its hash>"',
    }[gate.kind]
    return f'Complete it with evidence=[{{"gate": "{gate.name}", {send}}}]'
