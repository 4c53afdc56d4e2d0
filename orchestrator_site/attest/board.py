"""What `manage.py attest` needs of a board, wherever that is: on this machine, or behind a site's REST API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from orchestrator_site.kernel.errors import Invalid, NotFound

Commands = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Gated:
    """A task at work that has gates, each an object with name, kind and, for a command, command."""

    task_id: str
    title: str
    gates: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A command that may be run for a gate, and the token by which its evidence is for this attempt."""

    gate: str
    token: str
    command: str
    argv: Sequence[str]
    timeout_seconds: float
    report: str


@dataclass(frozen=True, slots=True)
class Judged:
    gate: str
    met: bool
    why_not: str
    next: str


class Board(Protocol):
    def commands(self) -> Commands:
        """Return the commands that the project's settings name."""
        ...

    def gated(self, task_id: str | None) -> list[Gated]:
        """Return the tasks at work that have gates, or one task by its id. Raises NotFound."""
        ...

    def ask(self, task_id: str, gate: str, command: str) -> Asked:
        """Ask for a command by its name. Raises what keeps it from being observed."""
        ...

    def give(self, task_id: str, pieces: Sequence[Mapping[str, Any]]) -> list[Judged]:
        """Give evidence, and return what its gates say of it."""
        ...


def chosen(board: Board, command: str, task_id: str | None, gate: str | None) -> tuple[Gated, list[str]]:
    """Return the task that a command is run for, and the gates that it may meet. Raises Invalid, NotFound."""
    commands = board.commands()
    if command not in commands:
        raise Invalid(
            f"The project's settings name no command {command[:64]!r}.",
            next=f"They name: {', '.join(sorted(commands)) or 'none'}. A person adds commands there.",
        )
    fitting = [(each, names) for each in board.gated(task_id) if (names := _met_by(each, command, commands, gate))]
    if len(fitting) == 1:
        return fitting[0]
    what = f"the gate {gate}" if gate else f"a gate that {command} meets"
    if not fitting:
        whose = f"{task_id} has no" if task_id else "No task at work has a"
        raise NotFound(f"{whose} gate {gate or f'that {command} meets'}.", next="See them: manage.py attest --list")
    listed = ", ".join(each.task_id for each, _ in fitting[:10])
    raise Invalid(f"{len(fitting)} tasks at work have {what}: {listed}.", next="Name one: --task ID")


def _met_by(task: Gated, command: str, commands: Commands, only: str | None) -> list[str]:
    """Return the gates that a command may meet: those that name it, and those of reports if it writes one."""
    writes = bool(commands[command].get("report"))
    return [
        gate["name"]
        for gate in task.gates
        if only in (None, gate["name"]) and (gate.get("command") == command or (gate["kind"] == "report" and writes))
    ]
