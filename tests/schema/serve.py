"""Serve the site on a free port, with room for any number of wrong tokens: `python -m tests.schema.serve`.

One of the checks sends nothing but those, and takes no answer but 401. Prints the address, then a token.
"""

from __future__ import annotations

import socket
from datetime import timedelta

import django


def main() -> None:
    """Serve until a signal comes."""
    django.setup()
    from maintenance.upgrades.ensure_schema import ensure_schema
    from orchestrator_site.accounts.owner import local_owner
    from orchestrator_site.tokens import bearer
    from orchestrator_site.tokens.bearer import FailureThrottle
    from orchestrator_site.tokens.service import create_token

    ensure_schema()
    _prepare_runs()
    bearer.failures = FailureThrottle(failures=1_000_000)
    _, secret = create_token(owner=local_owner(), name="schema", scopes=["admin"])
    django.db.connections.close_all()
    _serve(secret)


def _prepare_runs() -> None:
    """Make a project with a run in every state, which no client can."""
    from django.utils import timezone

    from tasks.agents.choices import RunState
    from tests.agents.rows import make_ask, make_run, make_supervisor, switch_on
    from tests.factories import make_project, make_task

    project = make_project("isolated")
    switch_on(project)
    make_supervisor(seen_at=timezone.now() + timedelta(days=1))
    for state in RunState:
        make_ask(make_run(make_task(project), state))


def _serve(secret: str) -> None:
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            print(address, secret, flush=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            "orchestrator_site.application:application", log_config=None, timeout_graceful_shutdown=1
        )
        Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
