"""Acts on a task in a process of its own: `python -m tests.gates.worker TASK complete|waive|evidence COUNT`.

It begins with a line on its input. `complete` tries until it is done; `waive` and `evidence` act once for each of the
COUNT gates. What came of each try is one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time

import django

PAUSE_SECONDS = 0.005
"""Between tries, so that the other gets a turn; a writer that waits for SQLite looks again only now and then."""


def main(task_id: str, what: str, count: int) -> None:
    django.setup()
    from orchestrator_site.kernel.errors import OrchestratorError
    from tasks.gates.pieces import Piece
    from tasks.identity.actor import Actor
    from tasks.models import Task
    from tasks.services.evidence import give_evidence
    from tasks.services.waive import waive
    from tests.gates.given import complete, junit

    task, actor = Task.objects.get(public_id=task_id), Actor(kind="person", name=what)

    def act(number: int) -> str:
        gate = f"gate-{number}"
        try:
            if what == "complete":
                return complete(task, actor).status
            if what == "waive":
                waive(task=task, actor=actor, gate=gate, reason="Only words")
            else:
                give_evidence(task=task, actor=actor, pieces=[Piece(gate=gate, report=junit(gate))])
        except OrchestratorError as error:
            return error.code
        return "done"

    print("ready", flush=True)
    sys.stdin.readline()
    came: list[str] = []
    while "completed" not in came and len(came) < count:
        came.append(act(len(came)))
        time.sleep(PAUSE_SECONDS)
    print(json.dumps(came))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
