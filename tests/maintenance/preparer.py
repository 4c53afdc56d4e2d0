"""Prepares handovers in a process of its own: `python -m tests.maintenance.preparer SLUG COUNT`, an event before each.

It begins with a line on its input, and writes the numbers it got.
"""

from __future__ import annotations

import sys

import django


def main(slug: str, count: int) -> None:
    django.setup()
    from maintenance.selectors.scope import of_project
    from maintenance.services.handover import prepare
    from tasks import events
    from tasks.choices import Verb
    from tasks.identity.actor import Actor
    from tasks.models import Project

    project, actor = Project.objects.get(slug=slug), Actor.system()
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(count):
        events.record(actor=actor, verb=Verb.EDIT_PROJECT, project=project)
        print(prepare(scope=of_project(project), actor=actor).number, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
