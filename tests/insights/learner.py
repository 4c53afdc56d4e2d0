"""Learns in a process of its own: `python -m tests.insights.learner SLUG`, in small batches, once a line comes."""

from __future__ import annotations

import sys

import django


def main(slug: str) -> None:
    django.setup()
    from tasks.insights.services.learn import learn
    from tasks.models import Project

    project = Project.objects.get(slug=slug)
    print("ready", flush=True)
    sys.stdin.readline()
    steps, has_more = 0, True
    while has_more:
        done = learn(project=project, limit=5)
        steps, has_more = steps + done.steps, done.has_more
    print(steps, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
