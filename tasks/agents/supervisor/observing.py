"""What a supervisor observes of a delivery: the commands that its gates name, run in the worktree, and its commit.

Everything that came is in rows before the next step, so another supervisor goes on from there, and repeats nothing but
a command that did not come to its end.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator_site.kernel.errors import Conflict
from orchestrator_site.kernel.limits import LIMITS
from orchestrator_site.kernel.secret_text import without_secrets
from orchestrator_site.kernel.text import one_line, shortened, storable
from tasks.agents import processes
from tasks.agents.choices import Workspace
from tasks.agents.models import Run
from tasks.agents.places import home_of
from tasks.agents.probe import Program
from tasks.agents.selectors.isolation import isolation_of
from tasks.agents.services.supervise import SUPERVISOR
from tasks.agents.supervisor.following import Left, Orders
from tasks.agents.supervisor.launching import jail_of
from tasks.agents.supervisor.workspace import ran_in
from tasks.agents.worktrees import Worktree
from tasks.choices import GateKind, Rung, Status, Verb
from tasks.gates.definition import Gate
from tasks.gates.observed import ReportFile, problem_with
from tasks.gates.pieces import Piece
from tasks.gates.tree import read_tree
from tasks.models import Task
from tasks.selectors.gates import GateState, gates_on
from tasks.services.challenge import TIMEOUT_SECONDS, commands_for
from tasks.services.evidence import give_evidence
from tasks.services.look import reports_of
from tasks.services.review import approve, request_revision

_LINE = 300
_OUTPUT_SHOWN = 1_500


@dataclass(frozen=True, slots=True)
class Observed:
    """A line for each gate, for the run's page, and why the delivery was sent back, if it was."""

    gates: list[dict[str, Any]] = field(default_factory=list)
    sent_back: str = ""


def observe(run: Run, head: str, orders: Orders) -> Observed:
    """Give the evidence that a supervisor can, then approve the delivery or send it back. Safe to repeat.

    Raises Left where the supervisor is asked to stop, and what keeps commands from being run.
    """
    task = Task.objects.select_related("project").get(pk=run.task_id)
    if not task.gates:
        return Observed()
    if task.status == Status.IN_REVIEW and task.lease_number == run.lease_number:
        _look_at(run, task, head, orders)
        _decide(run, task)
    return Observed([_line(state) for state in gates_on(task)], _sent_back(run, task))


def _look_at(run: Run, task: Task, head: str, orders: Orders) -> None:
    came = set(
        task.evidence.filter(lease_number=run.lease_number, facts__run=run.public_id).values_list("gate", flat=True)
    )
    wanted = [state.gate for state in gates_on(task) if not state.met and state.gate.name not in came]
    for gate in wanted:
        if gate.kind == GateKind.COMMIT and not _is_uncollected(run):
            facts = {"run": run.public_id, "base": run.base_commit}
            piece = Piece(gate=gate.name, commit=head, facts=facts, **({} if head else _NOTHING))
            give_evidence(task=task, actor=SUPERVISOR, pieces=[piece], lease_number=run.lease_number)
    for name, gates in _by_command(task, wanted).items():
        pieces = _run(run, task, name, gates, orders)
        give_evidence(task=task, actor=SUPERVISOR, pieces=pieces, lease_number=run.lease_number, rung=Rung.OBSERVED)


def _is_uncollected(run: Run) -> bool:
    """Whether the changes stay as they are in the project's own folder, so that a person commits them."""
    return run.workspace == Workspace.CURRENT


_NOTHING: dict[str, Any] = {"passed": False, "summary": "the agent committed nothing"}


def _by_command(task: Task, wanted: list[Gate]) -> dict[str, list[Gate]]:
    """Return the commands that have to be run, each with the gates that it may meet."""
    commands = task.project.commands
    found: dict[str, list[Gate]] = {}
    for gate in wanted:
        if name := next((each for each in commands_for(gate, commands) if each in commands), None):
            found.setdefault(name, []).append(gate)
    return found


def _run(run: Run, task: Task, name: str, gates: list[Gate], orders: Orders) -> list[Piece]:
    command, made = task.project.commands[name], Worktree(**run.worktree)
    seconds = float(command.get("timeout_seconds", TIMEOUT_SECONDS))
    folder, report = Path(made.folder), ReportFile(Path(made.folder), command.get("report", ""))
    jail = jail_of(run, made, Program("")) if run.facts.get("jailed") else None

    def is_left() -> bool:
        return orders.end.is_set() or orders.leave.is_set()

    processes.end_strays([run.public_id])  # of a supervisor that was killed here
    before, was = read_tree(folder, besides=reports_of(task.project)), report.identity()
    ran = ran_in(run, made, jail, command["argv"], seconds=seconds, name="observed", home=_home(run), is_left=is_left)
    if ran.exit_code is None and is_left():
        raise Left
    after = read_tree(folder, besides=reports_of(task.project))
    written = report.content() if report.identity() != was else ""
    problem = problem_with(name, ran.exit_code, seconds, before.changed_to(after))
    if report.path and not written:
        problem = problem or f"{name} wrote no report, so no test is known to have run"
    facts = {"run": run.public_id} | ({} if ran.exit_code is None else {"exit_code": ran.exit_code})
    return [
        Piece(
            gate=gate.name, facts=facts, summary=problem, passed=False if problem else None,
            output=storable(without_secrets(ran.output, {})), fingerprint=after.fingerprint, commit=after.commit,
            report=written,
        )
        for gate in gates
    ]  # fmt: skip


def _home(run: Run) -> Path | None:
    """Return the home that the setup has filled, if there is one: in it the agent may have left anything."""
    _, settings = isolation_of(run.project)
    return home_of(run) if settings.setup else None


def _decide(run: Run, task: Task) -> None:
    """Approve a delivery whose gates are met, if no one else has to, or send it back."""
    states = gates_on(task)
    unmet = [state for state in states if not state.met and not state.gate.is_for_reviewer]
    if _is_uncollected(run):
        unmet = [state for state in unmet if state.gate.kind != GateKind.COMMIT]
    with suppress(Conflict):  # a person was faster
        if unmet:
            request_revision(task=task, actor=SUPERVISOR, reason=_reason(unmet)[: LIMITS["reason"]])
        elif not task.is_reviewed and all(state.met for state in states):
            approve(task=task, actor=SUPERVISOR)


def _sent_back(run: Run, task: Task) -> str:
    """Return why what the run delivered was sent back, by whoever did: perhaps a supervisor that was killed then."""
    attempt = task.attempts.filter(lease_number=run.lease_number, outcome=Verb.REQUEST_REVISION).first()
    return shortened(attempt.reason, _LINE) if attempt else ""


def _reason(unmet: list[GateState]) -> str:
    said = [f"The gate {state.gate.name} is not met: {state.why_not}. It asks: {state.asks}." for state in unmet]
    printed = [state.evidence.output[-_OUTPUT_SHOWN:] for state in unmet if state.evidence and state.evidence.output]
    return "\n\n".join([*said, *dict.fromkeys(printed)])


def _line(state: GateState) -> dict[str, Any]:
    said = state.met_by if state.met else state.why_not
    return {"gate": state.gate.name, "met": state.met, "said": shortened(one_line(said), _LINE)}
