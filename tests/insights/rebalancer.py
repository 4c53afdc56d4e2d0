"""Applies a preview in a process of its own: `python -m tests.insights.rebalancer SLUG TOKEN`, once a line comes."""

from __future__ import annotations

import sys

import django


def main(slug: str, token: str) -> None:
    django.setup()
    from orchestrator_site.kernel.errors import Conflict
    from tasks.identity.actor import Actor
    from tasks.insights.selectors.rebalancing import Request
    from tasks.insights.services.rebalance import rebalance
    from tasks.models import Project

    project, actor = Project.objects.get(slug=slug), Actor(kind="person", name="ada")
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        print(len(rebalance(project=project, actor=actor, plan_token=token, request=Request())), flush=True)
    except Conflict:
        print("conflict", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
