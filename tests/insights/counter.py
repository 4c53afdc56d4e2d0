"""Counts figures in a process of its own: `python -m tests.insights.counter SLUG COUNT`.

It writes `ready`, begins with a line on its input, and writes how many figures each count stored.
"""

from __future__ import annotations

import sys

import django


def main(slug: str, count: int) -> None:
    django.setup()
    from tasks.insights.services.figures import count_figures
    from tasks.models import Project

    project = Project.objects.get(slug=slug)
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(count):
        print(count_figures(project=project), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
