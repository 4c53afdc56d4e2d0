"""The tool that watches runs, waits for them, and acts on them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar, Literal

from django.db.models import QuerySet
from pydantic import Field

from orchestrator_site.asgi.event_hub import EventHub
from orchestrator_site.kernel.errors import Invalid
from orchestrator_site.kernel.text import within_bytes
from orchestrator_site.mcp.registry import LONG, Arguments, tool
from orchestrator_site.mcp.schema import HIDDEN
from tasks import serializers as of_tasks
from tasks.agents import run_log
from tasks.agents.choices import ENDED, LIVE, RunState
from tasks.agents.models import Run
from tasks.agents.places import log_of
from tasks.agents.selectors.runs import (
    newest_below,
    run_by_id,
    run_of_task,
    runs_of,
    totals_of,
    without_long_columns,
)
from tasks.agents.serializers import line_of, next_for, progress_of, status_of, totals
from tasks.agents.services import control
from tasks.agents.tools.start import TOOLSET
from tasks.choices import Verb
from tasks.identity.actor import Actor
from tasks.models import Project
from tasks.selectors import feed
from tasks.selectors.feed import EventFilter
from tasks.selectors.find import task_by_id
from tasks.services.caller import Caller
from tasks.services.idempotency import run_once

Answer = dict[str, Any]
WAIT_SECONDS = 50
POLL_SECONDS = 0.5
"""As often as all other followers of events look for them."""
LIST_BYTES = 450
LOG_BYTES = 650
_CALLING = frozenset({RunState.ASKING, *ENDED} - {RunState.SUCCEEDED})
ENTRIES = 20
CHANGED_SHOWN = 10
WORDS_BYTES = 240


class Monitor(Arguments):
    aliases: ClassVar[dict[str, str]] = {
        "id": "run_id", "parent_task_id": "task_id", "message": "text", "reason": "text", "timeout": "seconds"
    }  # fmt: skip
    action: Literal["status", "progress", "logs", "wait", "kill", "resume", "message", "answer"] = "status"
    run_id: str | None = None
    task_id: str | None = Field(None, description="Or a plan")
    cursor: int | None = Field(None, ge=0)
    seconds: int = Field(WAIT_SECONDS, ge=1, le=WAIT_SECONDS, json_schema_extra={HIDDEN: True})
    text: str | None = Field(None, max_length=LONG)
    allow: bool | None = None
    ask: int | None = Field(None, ge=1, json_schema_extra={HIDDEN: True})
    session_id: str | None = None
    idempotency_key: str | None = Field(None, json_schema_extra={HIDDEN: True})


@tool(
    "orchestrator_monitor_isolated_execution",
    title="Monitor isolated runs",
    description="See what runs do, wait for changes, or act on one.",
    arguments=Monitor,
    toolset=TOOLSET,
    scope="read",  # and what the action needs, see services/control.py
    destructive=True,
    is_long=True,
)
def monitor(caller: Caller, given: Monitor) -> Answer:
    if given.action in _READS:
        return _READS[given.action](caller.session(given.session_id).project, given)
    actor = caller.actor(given.session_id)
    run = _one(actor.project, given)
    return run_once(
        project=actor.project,
        operation="monitor_isolated_execution",
        key=given.idempotency_key,
        request={**of_tasks.request_of(given), "run": run.pk},
        produce=lambda: _ACTS[given.action](run, actor, given),
    )


def _one(project: Project, given: Monitor) -> Run:
    """Return the one run that is meant. Raises Invalid where several may be."""
    if given.run_id:
        return run_by_id(project, given.run_id)
    task = task_by_id(project, given.task_id) if given.task_id else None
    if task is None or not task.is_leaf:
        raise Invalid(f"run_id: {given.action} needs one run.", next="Send its run_id; action='status' lists them.")
    return run_of_task(task)


def _chosen(project: Project, given: Monitor) -> tuple[QuerySet[Run], bool]:
    """Return the runs that are meant, without any name those that live, and whether it can only be one."""
    if given.task_id and not given.run_id and not (task := task_by_id(project, given.task_id)).is_leaf:
        return newest_below(task), False
    if not (given.run_id or given.task_id):
        return runs_of(project).filter(state__in=LIVE), False
    return runs_of(project).filter(pk=_one(project, given).pk), True


def _status(project: Project, given: Monitor) -> Answer:
    cursor = feed.last_id()
    return _shown(*_chosen(project, given), cursor=cursor)


def _shown(runs: QuerySet[Run], is_one: bool, *, cursor: int) -> Answer:
    if is_one:
        run = runs.get()
        return {**status_of(run), "cursor": cursor, "next": next_for(run, cursor)}
    rows = sorted(without_long_columns(runs), key=lambda run: (not run.is_live, -run.pk))
    return {**_listed(rows, rows), "cursor": cursor, "next": _next_of_all(rows, cursor)}


def _listed(rows: list[Run], shown: list[Run]) -> Answer:
    return {
        "counts": dict(Counter(run.state for run in rows)),
        "total": len(rows),
        "runs": of_tasks.within(shown, line_of, budget=LIST_BYTES),
    }


def _next_of_all(rows: list[Run], cursor: int) -> str:
    if any(run.is_live for run in rows):
        return f"action='wait' with the same ids and cursor={cursor} returns once one asks or fails, or all are done."
    return "All have ended: action='status' with a run_id says what follows." if rows else "Nothing runs."


def _progress(project: Project, given: Monitor) -> Answer:
    runs, is_one = _chosen(project, given)
    if is_one:
        return progress_of(runs.get())
    counts = Counter(runs.order_by().values_list("state", flat=True))
    return {"counts": dict(counts), **totals(totals_of(runs))}


def _logs(project: Project, given: Monitor) -> Answer:
    run = _one(project, given)
    log, is_newest = log_of(run), given.cursor is None
    found = run_log.read(log, given.cursor or 0, limit=ENTRIES, newest=is_newest)
    rows = found.entries[::-1] if is_newest else found.entries
    shown = of_tasks.within(rows, _entry, budget=LOG_BYTES)
    if is_newest:
        shown.reverse()
    elif len(shown) < len(rows):
        found = run_log.read(log, given.cursor or 0, limit=len(shown))
        shown = list(map(_entry, found.entries))
    more = f"action='logs' with run_id={run.public_id!r} and cursor={found.cursor}"
    return {
        "run_id": run.public_id,
        "state": run.state,
        "cursor": found.cursor,
        "at_end": found.at_end,
        "next": f"{more} reads on." if not found.at_end else f"{more} reads what comes; cursor=0 reads from the start.",
        "entries": shown,
    }


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    short = {
        name: within_bytes(value, WORDS_BYTES) if isinstance(value, str) else value for name, value in entry.items()
    }
    return {**short, "at": str(entry.get("at", ""))[11:19]}


def _wait(project: Project, given: Monitor) -> Answer:
    runs, is_one = _chosen(project, given)
    changed, cursor = _changed(project, runs, given, is_one=is_one)
    if is_one:
        return {"changed": bool(changed), **_shown(runs, is_one, cursor=cursor)}
    rows = list(without_long_columns(runs))
    calling = [run for run in rows if run.public_id in changed and run.state in _CALLING]
    return {"changed": changed, **_listed(rows, calling), "cursor": cursor, "next": _next_of_all(rows, cursor)}


def _changed(project: Project, runs: QuerySet[Run], given: Monitor, *, is_one: bool) -> tuple[list[str], int]:
    """Wait for an event after the cursor that calls for the caller; return the runs that changed, and where to go on.

    It ends early where nothing of it lives, and while the server stops, so that a restart need not wait.
    """
    over_at, cursor = time.monotonic() + given.seconds, given.cursor
    cursor, changed = feed.last_id() if cursor is None else cursor, set[str]()
    among = runs if given.run_id or given.task_id else runs_of(project)  # those that live now, and those that did
    while True:
        is_live = runs.filter(state__in=LIVE).exists()
        found = feed.batch(EventFilter(project.pk, verbs=(Verb.RUN,)), after=cursor, limit=feed.BATCH)
        names, cursor = {event.after.get("run") for event in found.events}, found.last_id
        own = set(among.filter(public_id__in=names).values_list("public_id", flat=True)) if names else set()
        changed |= own
        is_called = any(_calls(event.after, is_one) for event in found.events if event.after.get("run") in own)
        if is_called or not is_live or EventHub.is_over or time.monotonic() >= over_at:
            return sorted(changed)[:CHANGED_SHOWN], cursor
        time.sleep(POLL_SECONDS)


def _calls(note: dict[str, Any], is_one: bool) -> bool:
    """Whether a run asks or has ended. One of several that succeeds calls for nothing: the caller's context is dear."""
    state = note.get("state")
    return "asks" in note or state in _CALLING or (is_one and state == RunState.SUCCEEDED)


def _kill(run: Run, actor: Actor, given: Monitor) -> Answer:
    return _after(control.kill(run=run, actor=actor, reason=given.text or ""))


def _resume(run: Run, actor: Actor, given: Monitor) -> Answer:
    return _after(control.resume(run=run, actor=actor, text=given.text or ""))


def _message(run: Run, actor: Actor, given: Monitor) -> Answer:
    control.message(run=run, actor=actor, text=given.text or "")
    return _after(run)


def _answer(run: Run, actor: Actor, given: Monitor) -> Answer:
    if given.allow is None:
        raise Invalid("allow: is required.", next="Send true or false.")
    asked = control.answer(run=run, actor=actor, ask=given.ask, allow=given.allow, reason=given.text or "")
    return {"ask": asked.pk, "answer": asked.state, **_after(run)}


def _after(run: Run) -> Answer:
    cursor = feed.last_id()
    stopping = {"stopping": True} if run.stop and run.is_live else {}
    return {
        "run_id": run.public_id,
        "state": run.state,
        **stopping,
        "cursor": cursor,
        "next": f"action='wait' with run_id={run.public_id!r} and cursor={cursor} returns once it asks or has ended.",
    }


_READS: dict[str, Callable[[Project, Monitor], Answer]] = {
    "status": _status, "progress": _progress, "logs": _logs, "wait": _wait
}  # fmt: skip
_ACTS: dict[str, Callable[[Run, Actor, Monitor], Answer]] = {
    "kill": _kill, "resume": _resume, "message": _message, "answer": _answer
}  # fmt: skip
