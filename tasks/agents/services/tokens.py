"""The access token of a run: for its subtask alone, and only while the run is at work."""

from __future__ import annotations

import hashlib
import secrets

from django.contrib.auth.models import User

from orchestrator_site.kernel.identity import Principal, Scope
from tasks.agents.models import Run
from tasks.agents.selectors.runs import run_of_token
from tasks.agents.services.transitions import write

TOKEN_PREFIX = "mtr_"  # noqa: S105  what the token of every run begins with


def principal_of(run: Run) -> Principal:
    """Return who the agent of a run is on the board: it reads the project, and changes its own task."""
    return Principal(
        name=f"{run.started_by}/{run.public_id}"[:200],
        scopes=frozenset({Scope.READ, Scope.WRITE}),
        user_id=run.user_id,
        token_id=run.public_id,
        project_id=run.project_id,
        task_id=run.task_id,
    )


def new_token(run: Run) -> str:
    """Give a run a new token, which only works while it is at work. Raises NotKept."""
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    write(run, token_digest=_digest_of(secret))
    return secret


def principal_of_run(secret: str) -> Principal | None:
    """Return who has a run's token; None where no run at work has it, or who started it may not sign in any longer."""
    run = run_of_token(_digest_of(secret))
    if run is None or (run.user_id and not User.objects.filter(pk=run.user_id, is_active=True).exists()):
        return None
    return principal_of(run)


def _digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
