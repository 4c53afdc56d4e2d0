"""Challenges: which command is to be observed for an attempt, signed so that its evidence is for that one only."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from django.core import signing

from orchestrator_site.kernel.errors import Conflict, Invalid
from orchestrator_site.kernel.identity import Scope
from tasks.choices import GateKind, Status
from tasks.gates.definition import Gate, gates_of
from tasks.identity.actor import Actor
from tasks.models import Task
from tasks.project_settings import setting
from tasks.services import leases, transitions

TIMEOUT_SECONDS = 600
_SALT = "evidence"
_REPORTING_SECONDS = 15 * 60
"""How long after its timeout the evidence of a command may come."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """What to run, as the project's settings name it, and the token that comes back with the evidence."""

    token: str
    command: str
    argv: list[str]
    timeout_seconds: float
    report: str
    lease_number: int


def challenge(*, task: Task, actor: Actor, gate: str, command: str = "") -> Challenge:
    """Return the command that is to be observed for a gate of a task: the named one, or else the first that meets it.

    Raises Forbidden without the scope attest, Invalid for a gate that no command meets, Conflict where the task is
    not being done or reviewed.
    """
    actor.require(Scope.ATTEST)
    transitions.require_on_board(task)
    if task.status not in (Status.ACTIVE, Status.IN_REVIEW):
        raise Conflict(f"{task.public_id} is {task.status}: there is no attempt to observe.", next="Claim it first.")
    name, found = _command_of(task, gate, command)
    seconds = float(found.get("timeout_seconds", TIMEOUT_SECONDS))
    said = [task.public_id, gate, task.lease_number, seconds, secrets.token_hex(8)]
    token = signing.dumps(said, salt=_SALT)
    return Challenge(token, name, list(found["argv"]), seconds, found.get("report", ""), task.lease_number)


def _command_of(task: Task, name: str, wanted: str) -> tuple[str, dict[str, Any]]:
    gates = {gate.name: gate for gate in gates_of(task.gates)}
    if name not in gates:
        raise Invalid(
            f"gate: {task.public_id} has no gate {name[:64]!r}.", next=f"It has: {', '.join(gates) or 'none'}."
        )
    commands = setting(task.project, "gates.commands")
    able = [command for command in commands_for(gates[name], commands) if command in commands]
    for command in able:
        if wanted in ("", command):
            return command, commands[command]
    if able:
        raise Invalid(f"command: {wanted[:64]!r} does not meet {name}.", next=f"These do: {', '.join(able)}.")
    raise Invalid(
        f"gate: the project's settings name no command for {name}.",
        next="A person adds it to the project's settings, or a reviewer waives the gate with a reason.",
    )


def commands_for(gate: Gate, commands: dict[str, Any]) -> list[str]:
    """Return the commands whose run meets a gate: its own, or for a report those that write one."""
    if gate.kind == GateKind.COMMAND:
        return [gate.command]
    if gate.kind != GateKind.REPORT:
        return []
    return sorted((name for name in commands if commands[name].get("report")), key=lambda name: name != gate.name)


def answered(token: str, *, task: Task, gate: str, actor: Actor) -> str:
    """Return the hash of a challenge that evidence answers.

    Raises Forbidden without the scope attest, Invalid for one that was not made here, Conflict for one of another
    task, gate or lease, or that came too late.
    """
    actor.require(Scope.ATTEST)
    try:
        public_id, asked, lease_number, seconds, _ = signing.loads(token, salt=_SALT)
        signing.loads(token, salt=_SALT, max_age=seconds + _REPORTING_SECONDS)
    except signing.SignatureExpired as error:
        raise Conflict("This challenge is too old.", next="Run the command again.") from error
    except (signing.BadSignature, ValueError) as error:
        raise Invalid("challenge: it was not made here.", next="Ask for a challenge, and send it as it is.") from error
    if (public_id, asked) != (task.public_id, gate):
        raise Conflict(f"This challenge is for {asked} of {public_id}.", next="Ask for one for this task and gate.")
    leases.require_number(task, lease_number)
    return hashlib.sha256(token.encode()).hexdigest()
