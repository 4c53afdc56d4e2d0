"""The gates of tasks: which are met, by what, what came for the others and what to do. One answer for every reader."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator_site.kernel.compiled import Compiled
from tasks.choices import Rung, Status, Verb
from tasks.gates.definition import Gate, gates_of
from tasks.gates.judging import Judged, Standing, Verdict, asks, judge, next_call
from tasks.identity.actor import Actor
from tasks.models import Event, Evidence, Task, Waiver

SHOWN = 100
_READ = (Verb.CLAIM, Verb.DELIVER, Verb.COMPLETE, Verb.FINISH, Verb.APPROVE)
_BY = ("task_id", "verb", "after", "actor_kind", "actor_name", "session")
_evidence = Compiled(lambda keys: Evidence.objects.filter(task__pk__in=keys).defer("output").order_by("id"))
_waivers = Compiled(lambda keys: Waiver.objects.filter(task__pk__in=keys).select_related("session").order_by("id"))
_events = Compiled(
    lambda keys: (
        Event.objects.filter(task__pk__in=keys, verb__in=list(_READ))
        .select_related("session")
        .only(*_BY, *(f"session__{name}" for name in ("token_id", "connection_id")))
        .order_by("id")
    )
)


_READS: tuple[Compiled[Any], ...] = (_evidence, _waivers, _events)


@dataclass(frozen=True, slots=True)
class GateState:
    """A gate of a task. `rung` is how far what meets it can be trusted; `evidence` is that, or the newest that came."""

    gate: Gate
    met: bool
    rung: Rung | None = None
    evidence: Evidence | None = None
    waiver: Waiver | None = None
    approved_by: str = ""
    why_not: str = ""
    next: str = ""

    @property
    def asks(self) -> str:
        return asks(self.gate)

    @property
    def came(self) -> str:
        """What came for a gate, in a few words."""
        if self.evidence is None:
            return ""
        summary = self.evidence.summary.strip().partition("\n")[0]
        return f"{Rung(self.evidence.rung).label} by {self.evidence.actor_name}{f': {summary}' if summary else ''}"

    @property
    def met_by(self) -> str:
        """Say what meets a gate, for reports."""
        if self.waiver is not None:
            return f"waived by {self.waiver.actor_name}: {self.waiver.reason}"
        return f"approved by {self.approved_by}" if self.approved_by else self.came


@dataclass(frozen=True, slots=True)
class GateRow:
    """A gate on a page, with what came for it, the newest first, and what commands printed."""

    state: GateState
    came: list[Evidence]


@dataclass(frozen=True, slots=True)
class _History:
    """What happened to a task that its gates are judged by."""

    deliveries: int = 0
    holder: Actor | None = None
    verdict: Verdict | None = None


def gates_on(
    task: Task, *, holder: Actor | None = None, verdict: Verdict | None = None, tree: str = ""
) -> list[GateState]:
    """Return the gates of a task; nothing is asked where it has none.

    `holder` and `verdict` are those of the call that asks, which are in no event yet; `tree` is the fingerprint of the
    files as they are now.
    """
    return states_of([task], holder=holder, verdict=verdict, tree=tree).get(task.pk, [])


def states_of(
    tasks: Iterable[Task], *, holder: Actor | None = None, verdict: Verdict | None = None, tree: str = ""
) -> dict[int, list[GateState]]:
    """Return the gates of several tasks by their keys, without those that have none."""
    gated = {task.pk: task for task in tasks if task.gates and task.pk}
    if not gated:
        return {}
    keys = list(gated)
    evidence, waivers, events = (_by_task(read(keys=keys)) for read in _READS)
    found: dict[int, list[GateState]] = {}
    for key, task in gated.items():
        past = _history(task, events[key])
        own = {waiver.gate: waiver for waiver in waivers[key]}
        counted = {gate for gate, each in own.items() if not _is_by_holder(each, holder or past.holder)}
        at = Standing(task.lease_number, past.deliveries, counted, verdict or past.verdict, tree)
        judged = judge(gates_of(task.gates), evidence[key], at)
        found[key] = [_state(task, each, own.get(each.gate.name), at) for each in judged]
    return found


def _by_task(rows: Iterable[Any]) -> dict[int, list[Any]]:
    grouped: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        grouped[row.task_id].append(row)
    return grouped


def _state(task: Task, judged: Judged[Evidence], waiver: Waiver | None, at: Standing) -> GateState:
    gate, evidence = judged.gate, judged.evidence
    if not judged.met:
        own = "; the waiver is its holder's own" if waiver else ""
        return GateState(gate, False, None, evidence, None, "", judged.why_not + own, next_call(gate, task.public_id))
    if gate.name in at.waived:
        return GateState(gate, True, None, evidence, waiver)
    if gate.is_for_reviewer:
        return GateState(gate, True, Rung.APPROVED, evidence, None, at.verdict.name if at.verdict else "")
    return GateState(gate, True, Rung(evidence.rung) if evidence else None, evidence)


def _history(task: Task, events: Sequence[Event]) -> _History:
    delivered, holder, verdict, count = 0, None, None, 0
    for event in events:
        if event.verb == Verb.DELIVER:
            count += 1
        elif event.verb == Verb.APPROVE:
            verdict = Verdict(event.actor_kind, event.actor_name)
        else:
            holder, verdict = Actor.of(event), None
            delivered = event.after.get("deliveries", count)  # before the call that completed it
    is_open = task.status not in (Status.IN_REVIEW, Status.COMPLETED)
    return _History(count if is_open else delivered, holder, None if is_open else verdict)


def _is_by_holder(waiver: Waiver, holder: Actor | None) -> bool:
    return holder is not None and holder.is_same(Actor.of(waiver))


def deliveries_of(task: Task) -> int:
    return Event.objects.filter(task=task, verb=Verb.DELIVER).count()


def gate_rows(task: Task) -> list[GateRow]:
    """Return the gates of a task for a page, each with all that came; nothing is asked where it has none."""
    states = gates_on(task)
    came = list(Evidence.objects.filter(task=task).order_by("-id")[:SHOWN]) if states else []
    return [GateRow(state, [each for each in came if each.gate == state.gate.name]) for state in states]
