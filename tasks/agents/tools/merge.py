"""The tool that brings the work of a run into a branch."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from orchestrator_site.kernel.text import within_bytes
from orchestrator_site.mcp.registry import Arguments, tool
from orchestrator_site.mcp.schema import HIDDEN
from tasks import serializers as of_tasks
from tasks.agents.models import Run
from tasks.agents.selectors.runs import run_by_id
from tasks.agents.services.merge import merge_run
from tasks.agents.tools.start import TOOLSET
from tasks.agents.worktrees import Merged, Mode
from tasks.services.caller import Caller
from tasks.services.idempotency import run_once_apart

CONFLICTS_BYTES = 300


class MergeIsolated(Arguments):
    aliases: ClassVar[dict[str, str]] = {"id": "run_id", "branch": "target"}
    run_id: str
    mode: Literal["squash", "merge", "patch"] | None = None
    target: str | None = Field(None, description="Branch")
    dry_run: bool = True
    expected: str | None = None
    session_id: str | None = None
    idempotency_key: str | None = Field(None, json_schema_extra={HIDDEN: True})


@tool(
    "orchestrator_merge_isolated_work",
    title="Merge isolated work",
    description="Merge a run's changes into a branch, never into a checkout.",
    arguments=MergeIsolated,
    toolset=TOOLSET,
    scope="read",  # and review to merge, see services/merge.py
    destructive=True,
    is_long=True,
)
def merge_isolated(caller: Caller, given: MergeIsolated) -> dict[str, Any]:
    actor = caller.actor(given.session_id)
    run = run_by_id(actor.project, given.run_id)

    def merge() -> dict[str, Any]:
        done = merge_run(
            run=run, actor=actor, mode=Mode(given.mode or Mode.SQUASH), target=given.target or "",
            dry_run=given.dry_run, expected=given.expected or "",
        )  # fmt: skip
        return _shown(run, done, is_trial=given.dry_run)

    return run_once_apart(
        project=actor.project,
        operation="merge_isolated_work",
        key=given.idempotency_key,
        request=of_tasks.request_of(given),
        produce=merge,
    )


def _shown(run: Run, done: Merged, *, is_trial: bool) -> dict[str, Any]:
    conflicts = of_tasks.within(done.conflicts, lambda path: {"path": within_bytes(path, 100)}, budget=CONFLICTS_BYTES)
    return {
        "run_id": run.public_id,
        "target": within_bytes(done.target, 150),
        "target_before": done.target_before,
        "merged": done.commit is not None,
        "commit": done.commit,
        "files_total": done.files_total,
        "conflicts": [row["path"] for row in conflicts],
        "conflicts_total": len(done.conflicts),
        "patch_bytes": len(done.patch) if done.patch is not None else None,
        "next": _next(run, done, is_trial=is_trial),
    }


def _next(run: Run, done: Merged, *, is_trial: bool) -> str:
    if done.mode == Mode.PATCH:
        return f"GET /api/v1/runs/{run.public_id}/patch, or the run's page, has it for git apply."
    if done.commit:
        return "Merged. Tell the user the branch, who merges it into a checkout."
    if done.conflicts:
        return f"It conflicts: a person merges {within_bytes(run.branch, 100)} by hand, or the task is revised on top."
    return f"It merges: call this again with dry_run=false and expected={done.target_before!r}." if is_trial else ""
