"""Delivers works to a task in a process of its own: `python -m tests.artifacts.deliverer TASK NAME COUNT`.

Each round delivers to one path that all deliverers share, and to one of its own; it begins with a line on its input.
"""

from __future__ import annotations

import sys

import django


def main(task_id: str, name: str, count: int) -> None:
    django.setup()
    from django.db import transaction

    from artifacts import storage
    from artifacts.receivers import update_mirror
    from artifacts.services.store import store_artifact
    from tasks.identity.actor import Actor
    from tasks.models import Task
    from tasks.services.claim import locked

    task = Task.objects.get(public_id=task_id)
    actor = Actor(kind="system", name=name)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(count):
        for path in ("shared.txt", f"{name}/{number}.txt"):
            prepared = storage.prepare(f"{name} {number}")
            with transaction.atomic():
                held = locked(task)
                update_mirror(project=held.project)
                store_artifact(task=held, actor=actor, prepared=prepared, paths=[path])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
