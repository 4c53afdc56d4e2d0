"""Reviews a task in a process of its own: `python -m tests.artifacts.reviewer TASK comment|send COUNT`.

It begins with a line on its input. Who comments waits for another one half way. Who sends takes the work back in after
each round, sends once more after a last line, and writes what the assistant would read as JSON, a line per round.
"""

from __future__ import annotations

import json
import sys
import time

import django

PAUSE_SECONDS = 0.005
"""Between rounds, so that the other gets a turn; a writer that waits for SQLite looks again only now and then."""


def main(task_id: str, what: str, count: int) -> None:
    django.setup()
    from artifacts.services.comment import comment
    from tasks.identity.actor import Actor
    from tasks.models import Task
    from tasks.services.complete import complete
    from tasks.services.review import request_revision

    task, actor = Task.objects.get(public_id=task_id), Actor.system(what)

    def send() -> None:
        sent = request_revision(task=task, actor=actor, reason="Fix it.")
        print(json.dumps(sent.task.review_comment), flush=True)
        complete(task=task, actor=actor, summary="Fixed")

    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(count):
        time.sleep(PAUSE_SECONDS)
        if what == "comment":
            if number == count // 2:
                print("half", flush=True)
                sys.stdin.readline()
            comment(task=task, actor=actor, text=f"<{number}>")
        else:
            send()
    print(json.dumps("done"), flush=True)
    if what == "send":
        sys.stdin.readline()
        send()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
