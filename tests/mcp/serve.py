"""Serve the site on a socket that the test has opened: `python -m tests.mcp.serve FD TOKENS`.

TOKENS is JSON: what to make, by name, each with the arguments of `create_token`. The secrets are printed as JSON
first.
"""

from __future__ import annotations

import json
import sys

import django


def main(fd: str, wanted: str) -> None:
    django.setup()
    from maintenance.upgrades.ensure_schema import ensure_schema
    from orchestrator_site.up.web import main as serve

    ensure_schema()
    secrets = {name: make(name, **facts) for name, facts in json.loads(wanted).items()}

    print(json.dumps(secrets), flush=True)
    # Who connects before it serves waits: the socket listens already.
    sys.exit(serve([fd]))


def make(name: str, *, owner: str = "", project: str = "", **facts: object) -> str:
    from django.contrib.auth.models import User
    from django.db import connections

    from orchestrator_site.accounts.owner import local_owner
    from orchestrator_site.tokens.service import create_token
    from tasks.models import Project

    user = User.objects.get_or_create(username=owner, defaults={"is_staff": True})[0] if owner else local_owner()
    bound = Project.objects.get_or_create(slug=project, defaults={"name": project})[0] if project else None
    _, secret = create_token(owner=user, name=name, project=bound, **facts)  # type: ignore[arg-type]
    connections.close_all()
    return secret


if __name__ == "__main__":
    main(*sys.argv[1:])
