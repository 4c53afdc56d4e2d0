"""Saves a context in a process of its own: `python -m tests.library.saver SLUG NAME`, once a line comes."""

from __future__ import annotations

import sys

import django


def main(slug: str, name: str) -> None:
    django.setup()
    from orchestrator_site.kernel.errors import Conflict
    from tasks.identity.actor import Actor
    from tasks.library.services.contexts import save_context
    from tasks.models import Project

    project, actor = Project.objects.get(slug=slug), Actor(kind="person", name=name)
    text = f"Run the migrations before the tests, for the fixtures need every table. Says {name}."
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        save_context(project=project, actor=actor, name=name, text=text)
        print("saved", flush=True)
    except Conflict:
        print("conflict", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
