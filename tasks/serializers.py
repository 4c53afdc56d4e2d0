"""Tasks in the answers of tools: small rows within a budget of bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from orchestrator_site.kernel.text import shortened, within_bytes
from tasks.choices import Priority, Status
from tasks.models import NEVER, Task
from tasks.selectors import counts
from tasks.selectors.open_plans import OpenPlan, OpenPlans
from tasks.selectors.overview import Overview, Standing
from tasks.services.plan import Plan
from tasks.services.plan_check import Subtask

TITLE_LENGTH = 60
LINE_LENGTH = 120
DEPENDENCIES_SHOWN = 10
PLAN_TITLE_BYTES = 48
BUDGET = 1500  # bytes of rows in a default answer, which keeps the whole answer under 2 kB

_NEXT = {
    "yours": "continue, then complete_subtask",
    "free": "execute_subtask: its session has ended",
    "held": "leave it; take_over=true only if its holder is gone",
}
_LISTS = {"gates": "gates", "file_paths": "paths"}
Row = dict[str, Any]
T = TypeVar("T")


def row(task: Task) -> Row:
    facts: Row = {"task_id": task.public_id, "title": shortened(task.title, TITLE_LENGTH), "status": task.status}
    if task.status in (Status.BLOCKED, Status.FAILED):
        facts["reason"] = shortened(task.reason, LINE_LENGTH)
    if task.specialist:
        facts["specialist_type"] = task.specialist
    return facts


def pointer(task: Task) -> Row:
    return {
        "task_id": task.public_id,
        "title": shortened(task.title, TITLE_LENGTH),
        "specialist_type": task.specialist or None,
    }


def within(rows: Iterable[T], shape: Callable[[T], Row], *, budget: int = BUDGET) -> list[Row]:
    """Shape rows until their JSON fills the budget of bytes; at least one row if there is any."""
    shaped: list[Row] = []
    for each in rows:
        facts = shape(each)
        budget -= size_of(facts)
        if budget < 0 and shaped:
            break
        shaped.append(facts)
    return shaped


def size_of(facts: Row) -> int:
    return len(json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode()) + 1


def open_plans(found: OpenPlans | None) -> Row:
    if found is None or not found.plans:
        return {}
    rows = [open_plan(each) for each in found.plans]
    return {"open_plans": rows, "open_plans_total": found.total if found.total > len(rows) else None}


def open_plan(each: OpenPlan) -> Row:
    return {
        "task_id": each.plan.public_id,
        "title": within_bytes(shortened(each.plan.title, TITLE_LENGTH), PLAN_TITLE_BYTES),
        "completed_subtasks": each.counts.done,
        "total_subtasks": each.counts.total,
        "waits_for": each.waits_for,
    }


def progress(plan: Task) -> Row:
    by_status = counts.of_plan(plan)
    done = counts.progress(by_status)
    return {
        "parent_task_id": plan.public_id,
        "status": plan.status,
        "completed_subtasks": done["completed"],
        "total_subtasks": done["total"],
        "progress_percentage": done["percent"],
        "counts": by_status,
    }


def in_progress(standing: Standing) -> Row:
    task, whose = standing.task, standing.whose
    title = shortened(task.title, TITLE_LENGTH)
    return {"task_id": task.public_id, "title": title, "whose": whose, "next": _NEXT[whose]}


def stopped(task: Task) -> Row:
    facts = row(task)
    facts.pop("specialist_type", None)
    if why := why_stopped(task):
        facts["reason"] = shortened(why, LINE_LENGTH)
    return facts


def why_stopped(task: Task) -> str:
    return task.review_comment if task.status == Status.NEEDS_REVISION else task.reason


def next_step(seen: Overview) -> str:
    if any(standing.whose in ("yours", "free") for standing in seen.active):
        return "Continue what is in progress: orchestrator_execute_subtask(task_id)."
    if seen.needs_revision.total or seen.next_ready:
        return "Call orchestrator_execute_subtask for the best ready task."
    if seen.waits_for_a_person.total:
        return "The rest waits for a person: tell the user, or plan more with orchestrator_plan_task."
    if seen.plans and seen.plans.total:
        return "Nothing is ready for you: see waits_for of the open plans; orchestrator_execute_subtask says why."
    if done := seen.last_finished:
        return (
            "Every plan is finished. Put the last one together with "
            f"orchestrator_synthesize_results(parent_task_id={done.public_id!r}), or plan more."
        )
    return "Plan the job with orchestrator_plan_task."


def subtask_of(given: Mapping[str, Any]) -> Subtask:
    priority = given.get("priority")
    return Subtask(
        title=given["title"],
        description=given.get("description", ""),
        specialist=given.get("specialist_type", ""),
        key=given.get("key", ""),
        dependencies=tuple(given.get("dependencies", ())),
        effort=given.get("estimated_effort", ""),
        complexity=given.get("complexity_level") or "",
        priority=Priority[priority.upper()].value if priority else None,
        context=given.get("context", ""),
        review=given.get("review"),
        gates=tuple(given.get("gates", ())),
        paths=tuple(given.get("file_paths", ())),
        resources=tuple(given.get("resources", ())),
        due_at=given.get("due_at") or "",
        not_before=given.get("not_before") or "",
        subtasks=tuple(subtask_of(each) for each in given.get("subtasks", ())),
    )


def columns_of(sent: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a task to change; None clears."""
    columns: dict[str, Any] = {name: sent[name] or "" for name in ("title", "description") if name in sent}
    if "specialist_type" in sent:
        columns["specialist"] = sent["specialist_type"] or ""
    if "estimated_effort" in sent:
        columns["effort"] = sent["estimated_effort"] or ""
    if "due_at" in sent:
        columns["due_at"] = sent["due_at"] or NEVER
    if "priority" in sent:
        columns["priority"] = Priority[(sent["priority"] or "normal").upper()].value
    return columns | {column: sent[name] or [] for name, column in _LISTS.items() if name in sent}


def request_of(given: BaseModel) -> Row:
    """Return what makes two calls equal: everything but the idempotency key and the session."""
    return given.model_dump(exclude={"idempotency_key", "session_id"})


def short_id(sent: str | None, task: Task) -> list[str]:
    return [] if sent in (None, task.public_id) else [f"{sent}: taken as {task.public_id}"]


def planned(made: Plan) -> Row:
    rows = list(zip(made.tasks, made.keys, made.needs, strict=True))
    shown = within(rows, _planned_row)
    left = len(rows) - len(shown)
    return {
        "parent_task_id": made.root.public_id,
        "subtasks": shown,
        "subtasks_total": len(rows),
        "subtasks_not_shown": left or None,
        "next": "Call orchestrator_execute_subtask for the first ready task."
        + (f" The other {left}: orchestrator_get_status(task_id)." if left else ""),
    }


def _planned_row(entry: tuple[Task, str, list[str]]) -> Row:
    task, key, needs = entry
    facts: Row = {"task_id": task.public_id, "title": shortened(task.title, TITLE_LENGTH)}
    if key:
        facts["key"] = key
    if len(needs) > DEPENDENCIES_SHOWN:
        facts["dependencies_total"] = len(needs)
    return {**facts, "dependencies": needs[:DEPENDENCIES_SHOWN]} if needs else facts
