"""The tools that start runs, which go on while the caller does something else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from orchestrator_site.mcp.registry import Arguments, tool
from orchestrator_site.mcp.schema import HIDDEN
from tasks import serializers as of_tasks
from tasks.agents.models import Run
from tasks.agents.requests import LEAST_USD, tasks_named, wish_of
from tasks.agents.services.start import start_runs
from tasks.models import Task
from tasks.selectors import feed
from tasks.services.caller import Caller
from tasks.services.idempotency import run_once

TOOLSET = "isolation"
SHOWN_BYTES = 450


class Wishes(Arguments):
    aliases: ClassVar[dict[str, str]] = {"timeout": "timeout_minutes", "budget": "max_cost_usd"}
    agent: str | None = None
    model: str | None = None
    timeout_minutes: int | None = Field(None, ge=1)
    idle_minutes: int | None = Field(None, ge=1, json_schema_extra={HIDDEN: True})
    max_turns: int | None = Field(None, ge=1)
    max_cost_usd: float | None = Field(None, ge=LEAST_USD, allow_inf_nan=False)
    workspace: Literal["new", "persistent", "current"] | None = None
    communication: Literal["artifact", "file"] | None = Field(None, json_schema_extra={HIDDEN: True})
    base: str | None = None
    session_id: str | None = None
    idempotency_key: str | None = Field(None, json_schema_extra={HIDDEN: True})


class ExecuteIsolated(Wishes):
    aliases: ClassVar[dict[str, str]] = {**Wishes.aliases, "id": "task_ids", "task_id": "task_ids"}
    task_ids: list[str] = []
    parent_task_id: str | None = None
    parallel_execution: bool = Field(True, json_schema_extra={HIDDEN: True})


def _list_only_the_task(schema: dict[str, Any]) -> None:
    for name, part in schema["properties"].items():
        part |= {HIDDEN: True} if name != "task_id" else {}


class SpawnIsolated(Wishes):
    """What it shares with the other tool is listed there."""

    aliases: ClassVar[dict[str, str]] = {**Wishes.aliases, "id": "task_id"}
    model_config = ConfigDict(json_schema_extra=_list_only_the_task)
    task_id: str


@tool(
    "orchestrator_execute_subtask_isolated",
    title="Execute in isolation",
    description="Have coding agents do subtasks, each in its own context and worktree. Returns at once.",
    arguments=ExecuteIsolated,
    toolset=TOOLSET,
)
def execute_isolated(caller: Caller, given: ExecuteIsolated) -> dict[str, Any]:
    return _started(caller, given, [*given.task_ids, *filter(None, [given.parent_task_id])])


@tool(
    "orchestrator_spawn_isolated_session",
    title="Spawn an isolated session",
    description="orchestrator_execute_subtask_isolated for one task; same arguments.",
    arguments=SpawnIsolated,
    toolset=TOOLSET,
)
def spawn_isolated(caller: Caller, given: SpawnIsolated) -> dict[str, Any]:
    return _started(caller, given, [given.task_id])


def _started(caller: Caller, given: Wishes, public_ids: Sequence[str]) -> dict[str, Any]:
    actor = caller.actor(given.session_id)
    tasks = tasks_named(actor.project, public_ids)

    def start() -> dict[str, Any]:
        wish, user = wish_of(given.model_dump()), caller.principal.user_id
        return _shown(start_runs(project=actor.project, actor=actor, tasks=tasks, wish=wish, user_id=user))

    return {
        **run_once(
            project=actor.project,
            operation="execute_subtask_isolated",
            key=given.idempotency_key,
            request={**of_tasks.request_of(given), "tasks": [task.pk for task in tasks]},
            produce=start,
        ),
        "repaired": _repaired(public_ids, tasks),
    }


def _repaired(sent: Sequence[str], tasks: Sequence[Task]) -> list[str]:
    return [note for each, task in zip(sent, tasks, strict=True) for note in of_tasks.short_id(each, task)]


def _which(runs: Sequence[Run]) -> str:
    """Return what names these runs in a call: nothing where they are of several plans."""
    if len(runs) == 1:
        return f"run_id={runs[0].public_id!r}, "
    return f"task_id={runs[0].plan.public_id!r}, " if len({run.plan_id for run in runs}) == 1 else ""


def _shown(runs: Sequence[Run]) -> dict[str, Any]:
    first, cursor = runs[0], feed.last_id()
    return {
        "runs": of_tasks.within(
            runs, lambda run: {"run_id": run.public_id, "task_id": run.task.public_id}, budget=SHOWN_BYTES
        ),
        "runs_total": len(runs),
        "agent": first.agent,
        "limits": first.limits,
        "cursor": cursor,
        "next": f"orchestrator_monitor_isolated_execution({_which(runs)}action='wait', cursor={cursor}) returns once "
        "something happens.",
    }
