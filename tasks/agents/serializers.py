"""Runs, attempts and asks as JSON: whole for REST, small rows for tools."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from orchestrator_site.kernel.text import shortened, within_bytes
from tasks.agents.adapters import ADAPTERS
from tasks.agents.choices import AskState, RunState
from tasks.agents.models import Attempt, Run, RunAsk

Row = dict[str, Any]
RUN = (
    "state", "reason", "agent", "agent_version", "model", "workspace", "communication", "started_by", "stop",
    "stopped_by", "turns", "tokens_in", "tokens_out", "tokens_cached", "context_used", "context_peak", "context_size",
    "compactions", "cost_usd", "memory_peak", "branch", "base_commit", "head_commit", "merged_commit", "queued_at",
    "not_before", "started_at", "deadline", "ended_at", "dismissed_at", "removed_at",
)  # fmt: skip
"""Columns of a run that are shown as they are."""
ATTEMPT = ("number", "resumes", "outcome", "reason", "exit_code", "follow_ups", "started_at", "heard_at", "ended_at")
ASK = ("tool", "question", "state", "reason", "answered_by", "asked_at", "answered_at")
CHANGES = ("files", "files_total", "bytes", "symlinks", "gitlinks", "left_out", "tampered")
REASON_BYTES = 240
QUESTION_BYTES = 160
FILES_SHOWN = 100


def run_row(run: Run) -> Row:
    return {
        "run_id": run.public_id,
        "project": run.project.slug,
        "task_id": run.task.public_id,
        "plan": run.plan.public_id,
        **_columns(run, RUN),
    }


def run_shape(run: Run) -> Row:
    """Return a run with its limits, attempts, asks, and what it changed."""
    return {
        **run_row(run),
        "limits": {**run.limits, "cost_usd": float(run.limits["cost_usd"])},
        "is_jailed": bool(run.facts.get("jailed")),
        "takes_messages": run.is_live and takes_messages(run),
        "changes": changes_of(run),
        "attempts": [attempt_row(each) for each in run.attempts.all()],
        "asks": [ask_row(each) for each in run.asks.all()],
        "messages_waiting": run.messages.filter(sent_at=None).count(),
    }


def changes_of(run: Run) -> Row:
    """Return what the collected work changes; of its files the first ones, and the total."""
    empty: Row = {
        "files": [],
        "files_total": 0,
        "bytes": 0,
        "symlinks": [],
        "gitlinks": [],
        "left_out": [],
        "tampered": [],
    }
    found = {name: run.facts.get(name, empty[name]) for name in CHANGES}
    return {name: value[:FILES_SHOWN] if isinstance(value, list) else value for name, value in found.items()}


def attempt_row(attempt: Attempt) -> Row:
    return {**_columns(attempt, ATTEMPT), "agent_session": attempt.session_id}


def ask_row(ask: RunAsk) -> Row:
    return {"ask": ask.pk, **_columns(ask, ASK)}


def takes_messages(run: Run) -> bool:
    adapter = ADAPTERS.get(run.agent)
    return adapter is not None and adapter.supports.messages


def _columns(row: Any, names: tuple[str, ...]) -> Row:
    return {name: _plain(getattr(row, name)) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return float(value) if isinstance(value, Decimal) else value


# For tools, where every byte counts.


def line_of(run: Run) -> Row:
    """Return a run in a list."""
    return {
        "run_id": run.public_id,
        "task_id": run.task.public_id,
        "state": run.state,
        "reason": shortened(run.reason, 80) or None,
        "cost_usd": money(run.cost_usd) or None,
    }


def status_of(run: Run) -> Row:
    asks = list(run.asks.filter(state=AskState.OPEN))
    return {
        "run_id": run.public_id,
        "task_id": run.task.public_id,
        "task_status": run.task.status,
        "state": run.state,
        "reason": within_bytes(run.reason, REASON_BYTES) or None,
        "agent": run.agent,
        "turns": run.turns,
        "cost_usd": money(run.cost_usd),
        "asks": [_question(each) for each in asks[:1]],
        "asks_total": len(asks) or None,
        "files_total": run.facts.get("files_total"),
        "branch": within_bytes(run.branch, 100) or None,
        "merged": bool(run.merged_commit) or None,
        "dismissed": run.dismissed_at is not None or None,
    }


def progress_of(run: Run) -> Row:
    attempt = run.attempt
    return {
        "run_id": run.public_id,
        "state": run.state,
        "attempt": attempt.number if attempt else None,
        "limits": run.limits,
        "turns": run.turns,
        "cost_usd": money(run.cost_usd),
        **{name: getattr(run, name) for name in RUN if name.startswith(("tokens_", "context_", "compactions"))},
        "memory_mb": run.memory_peak // 2**20,
        "started_at": _seconds(run.started_at),
        "heard_at": _seconds(attempt.heard_at if attempt else None),
        "deadline": _seconds(run.deadline),
        "ended_at": _seconds(run.ended_at),
    }


def totals(found: Row) -> Row:
    return {**found, "cost_usd": money(found["cost_usd"])}


def money(amount: Decimal | int) -> float:
    return round(float(amount), 4)


def next_for(run: Run, cursor: int) -> str:
    """Return the obvious next step, as a call."""
    me = f"run_id={run.public_id!r}"
    if run.state == RunState.ASKING:
        return f"A person allows or denies it on the run's page; so does action='answer' with the scope review ({me})."
    if run.is_live:
        return f"orchestrator_monitor_isolated_execution({me}, action='wait', cursor={cursor})."
    if run.state == RunState.TAMPERED:
        return "Tell the user: nothing of it is run or merged before a person has looked at it."
    if run.task.status == "blocked":
        return "It has a question: unblock the task with the answer (orchestrator_update_task), then action='resume'."
    if run.state == RunState.SUCCEEDED:
        return _next_for_result(run, me)
    return f"action='logs' shows why ({me}); action='resume' goes on where it ended."


def _next_for_result(run: Run, me: str) -> str:
    if not run.head_commit or run.merged_commit or run.dismissed_at:
        return "Done. Its result is on the board: orchestrator_get_status(task_id)."
    return f"orchestrator_merge_isolated_work({me}) says whether its {run.facts.get('files_total', 0)} files merge."


def _question(ask: RunAsk) -> Row:
    return {"ask": ask.pk, "tool": shortened(ask.tool, 40), "question": within_bytes(ask.question, QUESTION_BYTES)}


def _seconds(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None
