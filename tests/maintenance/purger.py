"""Archives, purges, claims or sweeps in a process of its own: `python -m tests.maintenance.purger WHAT TASK [die]`.

It writes `ready`, begins with a line on its input, and writes `done` or the code of the error. With `die` it kills
itself as soon as the export is complete, before anything is deleted.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from typing import Any

import django


def main(what: str, public_id: str, die: str = "") -> None:
    django.setup()
    from maintenance.choices import Action, Level, ScopeWord
    from maintenance.exports import zipped
    from maintenance.services.coordinate import Request, coordinate
    from maintenance.services.purge import purge
    from orchestrator_site.kernel.errors import OrchestratorError
    from tasks.identity.actor import Actor
    from tasks.models import Task
    from tasks.roles import catalogue
    from tasks.services.archive import archive, restore
    from tasks.services.claim import claim
    from tasks.services.edit import Changes, edit

    task, actor = Task.objects.select_related("project").get(public_id=public_id), Actor.system(what)
    if die:
        write = zipped.write

        def and_die(plan: Task) -> Any:
            write(plan)
            os.kill(os.getpid(), signal.SIGKILL)

        zipped.write = and_die

    def sweep() -> None:
        """Archive everything in the project that is eligible."""
        asked = Request(action=Action.ARCHIVE, scope=ScopeWord.FULL_PROJECT, level=Level.COMPREHENSIVE)
        token = coordinate(project=task.project, actor=actor, request=asked).plan_token
        coordinate(project=task.project, actor=actor, request=replace(asked, apply=True, plan_token=token))

    acts = {
        "sweep": sweep,
        "archive": lambda: archive(task=task.root or task, actor=actor),
        "restore": lambda: restore(task=task, actor=actor),
        "purge": lambda: purge(task=task, actor=actor, confirmed=True),
        "claim": lambda: claim(task=task, actor=actor),
        "edit": lambda: edit(
            task=task, actor=actor, changes=Changes({"title": "Edited"}), catalogue=catalogue(task.project)
        ),
    }
    print("ready", flush=True)
    for _ in sys.stdin:
        try:
            acts[what]()
        except OrchestratorError as error:
            print(error.code, flush=True)
        else:
            print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
