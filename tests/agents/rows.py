"""Rows of runs for tests, made directly and in every state that the database allows."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

from django.utils import timezone

from orchestrator_site.kernel import ids
from tasks.agents.choices import LIVE, RunState
from tasks.agents.models import Attempt, Isolation, Run, RunAsk, Supervisor
from tasks.models import Project, Task

_serial = count(1)
LIMITS = {"minutes": 30, "idle_minutes": 10, "turns": 60, "cost_usd": "5"}


def switch_on(project: Project, folder: Path | None = None, **settings: Any) -> Isolation:
    """Allow agents in a project, in a folder where one is given."""
    if folder is not None:
        project.root_path = str(folder)
        project.save(update_fields=["root_path"])
    return Isolation.objects.create(project=project, is_on=True, settings=settings, changed_by="ada")


def make_supervisor(**fields: Any) -> Supervisor:
    number = next(_serial)
    return Supervisor.objects.create(
        **{"public_id": f"supervisor_{number:08x}", "machine": "here", "pid": number, **fields}
    )


def make_run(task: Task, state: str = RunState.QUEUED, **fields: Any) -> Run:
    ended = None if state in LIVE else timezone.now()
    standard = {
        "public_id": ids.run_id(), "project": task.project, "plan_id": task.plan_id, "state": state,
        "agent": "claude", "started_by": "ada", "limits": LIMITS, "ended_at": ended,
    }  # fmt: skip
    return Run.objects.create(task=task, **{**standard, **fields})


def make_attempt(run: Run, **fields: Any) -> Attempt:
    return Attempt.objects.create(**{"run": run, "number": run.attempts.count() + 1, **fields})


def make_ask(run: Run, **fields: Any) -> RunAsk:
    attempt = run.attempt or make_attempt(run)
    number = run.asks.count() + 1
    return RunAsk.objects.create(
        **{"run": run, "attempt": attempt, "ask_id": f"ask-{number}", "tool": "Bash", "question": "make test", **fields}
    )
