"""Does the ready tasks of a project in a process of its own: `python -m tests.tasks.holder NAME [keep]`.

It says `ready` when it has everything up and begins when a line comes on its input. With `keep` it says `holding` once
it holds a task, and stays there. In the end it says how many tasks it did, or fails with what was not foreseen.
"""

from __future__ import annotations

import sys
import time

import django


def main(name: str, keep: bool) -> None:
    django.setup()
    from orchestrator_site.kernel.errors import NotReady
    from orchestrator_site.kernel.identity import Principal
    from tasks.choices import FINISHED
    from tasks.identity.actor import Actor
    from tasks.models import Project, Task
    from tasks.services.claim import claim_next
    from tasks.services.complete import complete
    from tasks.services.sessions import open_session

    project, done = Project.objects.get(), 0
    session, _ = open_session(project=project, principal=Principal("ada"), connection_id=name, client_name=name)
    actor = Actor.assistant(session)
    print("ready", flush=True)
    sys.stdin.readline()
    while Task.objects.leaves().exclude(status__in=FINISHED).exists():
        try:
            task = claim_next(project=project, actor=actor).task
        except NotReady:
            time.sleep(0.01)  # the others are at it
            continue
        if keep:
            print("holding", flush=True)
            sys.stdin.readline()
        complete(task=task, actor=actor, summary="Done")
        done += 1
    print(done, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], "keep" in sys.argv)
