"""The board on this machine, through the services on its own database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator_site.attest.board import Asked, Commands, Gated, Judged
from orchestrator_site.kernel.errors import Forbidden
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.tokens.service import principal_of
from tasks.choices import Status
from tasks.gates.pieces import Piece
from tasks.identity.actor import Actor
from tasks.models import Project, Task
from tasks.selectors.find import task_by_id
from tasks.selectors.gates import gates_on
from tasks.services.challenge import challenge
from tasks.services.evidence import give_evidence

HOW_TO_GET_ONE = (
    "Make one in the browser, or with: manage.py token create NAME --scopes attest --project DIR; then set "
    "ORCHESTRATOR_ATTEST_TOKEN to it, or name a file: --token-file FILE"
)


class LocalBoard:
    """The board as who has an access token sees it. Raises Forbidden for one that may not attest, or elsewhere."""

    def __init__(self, project: Project, secret: str) -> None:
        principal = principal_of(secret)
        if principal is None:
            raise Forbidden("The access token is unknown, expired or revoked.", next=HOW_TO_GET_ONE)
        principal.require_project(project.pk)
        principal.require(Scope.ATTEST)
        self._project, self._actor = project, Actor.outside(principal)

    def commands(self) -> Commands:
        return self._project.commands

    def gated(self, task_id: str | None) -> list[Gated]:
        return gated(self._project, task_id)

    def ask(self, task_id: str, gate: str, command: str) -> Asked:
        made = challenge(task=task_by_id(self._project, task_id), actor=self._actor, gate=gate, command=command)
        return Asked(gate, made.token, made.command, made.argv, made.timeout_seconds, made.report)

    def give(self, task_id: str, pieces: Sequence[Mapping[str, Any]]) -> list[Judged]:
        task = task_by_id(self._project, task_id)
        give_evidence(task=task, actor=self._actor, pieces=[Piece(**piece) for piece in pieces])
        given = [piece["gate"] for piece in pieces]
        states = [state for state in gates_on(task_by_id(self._project, task_id)) if state.gate.name in given]
        return [Judged(state.gate.name, state.met, state.why_not, state.next) for state in states]


def gated(project: Project, task_id: str | None) -> list[Gated]:
    """Return the tasks at work that have gates, or one by its id."""
    if task_id is not None:
        tasks = [task_by_id(project, task_id)]
    else:
        tasks = list(Task.objects.filter(project=project, status=Status.ACTIVE).on_board().exclude(gates=[]))
    return [Gated(task.public_id, task.title, task.gates) for task in tasks]
