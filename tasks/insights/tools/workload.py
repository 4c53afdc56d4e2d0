"""The tool workload_manager: capacity and forecast, and what changes the order of the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, WithJsonSchema

from orchestrator_site.kernel.errors import invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.text import shortened
from orchestrator_site.mcp.registry import Arguments, tool
from orchestrator_site.mcp.schema import HIDDEN
from tasks import serializers as of_tasks
from tasks.choices import Priority
from tasks.due import begin_of
from tasks.identity.actor import Actor
from tasks.insights.choices import Horizon
from tasks.insights.selectors.figures import figures_of, uncounted
from tasks.insights.selectors.rebalancing import APPLIED, Kind, Preview, Proposal, Request
from tasks.insights.selectors.workload import LEAST, MOST, THRESHOLD, Workload, workload_of
from tasks.insights.serializers import Facts, loads_facts
from tasks.insights.services.rebalance import preview, rebalance
from tasks.insights.tools.intelligence import LINE, TOOLSET
from tasks.models import Task
from tasks.project_settings import setting
from tasks.selectors.find import task_by_id
from tasks.services import order
from tasks.services.caller import Caller
from tasks.services.effect import Effect
from tasks.services.idempotency import run_once

PROPOSALS_BYTES = 1_200
Action = Literal[
    "check_capacity", "suggest_rebalancing", "apply", "defer_task", "priority_boost", "assign_task"
]  # fmt: skip

NUMBER = Annotated[float, WithJsonSchema({"type": "number"})]


class WorkloadManager(Arguments):
    aliases: ClassVar[dict[str, str]] = {"specialist_type": "specialist_filter", "not_before": "until"}
    action: Action
    specialist_filter: str | None = None
    time_horizon: Literal["current_session", "daily", "weekly"] | None = None
    workload_threshold: NUMBER | None = Field(None, ge=LEAST, le=MOST)
    task_id: str | None = None
    until: str | None = None
    priority: Literal["low", "normal", "high", "urgent"] | None = None
    client: str | None = None
    model: str | None = None
    clear: list[Literal["until", "client", "model"]] = Field([], json_schema_extra={HIDDEN: True})
    plan_token: str | None = None
    session_id: str | None = Field(None, json_schema_extra={HIDDEN: True})
    idempotency_key: str | None = Field(None, json_schema_extra={HIDDEN: True})


@tool(
    "orchestrator_workload_manager",
    title="Workload",
    description="Capacity and forecast; preview a rebalancing and apply it; defer, boost, assign.",
    arguments=WorkloadManager,
    toolset=TOOLSET,
    scope="read",  # and what the action needs
)
def workload_manager(caller: Caller, given: WorkloadManager) -> Facts:
    actor = caller.actor(given.session_id)
    if given.action not in _READING:
        actor.require(Scope.WRITE)
    return run_once(
        project=actor.project,
        operation="workload_manager",
        key=given.idempotency_key,
        request=of_tasks.request_of(given),
        produce=lambda: _ACTIONS[given.action](actor, given),
    )


def _request(given: WorkloadManager) -> Request:
    horizon, threshold = Horizon(given.time_horizon or Horizon.DAILY), given.workload_threshold or THRESHOLD
    return Request(horizon, threshold, given.specialist_filter or "")


def _capacity(actor: Actor, given: WorkloadManager) -> Facts:
    asked = _request(given)
    figures = figures_of(actor.project)
    found = workload_of(
        actor.project, figures, horizon=asked.horizon, threshold=asked.threshold, specialist=asked.specialist
    )
    following = uncounted(actor.project, figures) or _after_capacity(found, asked.specialist)
    return {**loads_facts(found), "next": following}


def _after_capacity(found: Workload, specialist: str) -> str:
    if found.over:
        return "suggest_rebalancing says what would help."
    if not found.loads:
        return f"{specialist or 'No specialist'} has no tasks to do, and finished none."
    unknown = [load.specialist for load in found.loads if load.share is None]
    if unknown:
        return f"Too few finished to say for: {shortened(', '.join(unknown), LINE)}."
    return "No one has too much."


def _suggest(actor: Actor, given: WorkloadManager) -> Facts:
    asked = _request(given)
    found = preview(project=actor.project, actor=actor, request=asked)
    return {
        "proposals": of_tasks.within(found.proposals, _proposal, budget=PROPOSALS_BYTES),
        "proposals_total": len(found.proposals),
        "over": [load.specialist for load in found.workload.over],
        "plan_token": found.plan_token or None,
        "next": _after_preview(found, asked.specialist),
    }


def _after_preview(found: Preview, specialist: str) -> str:
    if found.is_off:
        return "Rebalancing is switched off in the project's settings (routing.rebalance)."
    if any(each.kind in APPLIED for each in found.proposals):
        token = repr(found.plan_token)
        return f"Nothing is done yet: apply with plan_token={token} and the same arguments does the calls here."
    if found.proposals:
        return "What is left needs a planner or a reviewer."
    return "Nothing would help now." if found.workload.over else _after_capacity(found.workload, specialist)


def _proposal(each: Proposal) -> Facts:
    return {
        "task_id": each.task.public_id,
        "title": shortened(each.task.title, of_tasks.TITLE_LENGTH),
        "reason": shortened(each.reason, LINE),
        "call": _call(each),
    }


def _call(each: Proposal) -> str:
    id = each.task.public_id
    match each.kind:
        case Kind.BOOST:
            return f"priority_boost(task_id={id!r}, priority={each.priority!r})"
        case Kind.ASSIGN:
            return f"assign_task(task_id={id!r}, client={each.client!r})"
        case Kind.SPLIT:
            return f"orchestrator_plan_task(parent_task_id={id!r})"
        case Kind.REVIEW:
            return f"orchestrator_update_task(task_id={id!r}, action='approve')"


def _apply(actor: Actor, given: WorkloadManager) -> Facts:
    if not given.plan_token:
        raise invalid([{"at": "plan_token", "problem": "is required: it comes from suggest_rebalancing"}])
    done = rebalance(project=actor.project, actor=actor, plan_token=given.plan_token, request=_request(given))
    rows = of_tasks.within(done, _proposal, budget=PROPOSALS_BYTES)
    return {"applied": rows, "applied_total": len(done), "next": "check_capacity shows what it changed."}


def _defer(actor: Actor, given: WorkloadManager) -> Facts:
    if given.until is None and "until" not in given.clear:
        raise invalid([{"at": "until", "problem": "is required; clear=['until'] lets the task start"}])
    until = begin_of(given.until, at="until", zone=setting(actor.project, "time_zone"))
    return _changed(order.defer(task=_task(actor, given), actor=actor, until=until))


def _boost(actor: Actor, given: WorkloadManager) -> Facts:
    priority = Priority[(given.priority or "high").upper()]
    return _changed(order.boost(task=_task(actor, given), actor=actor, priority=priority))


def _assign(actor: Actor, given: WorkloadManager) -> Facts:
    task, names = _task(actor, given), {"client": given.client, "model": given.model}
    if not given.clear and not any(names.values()):
        raise invalid([{"at": "client", "problem": "is required, or model, or clear=['client', 'model']"}])
    cleared = {name: "" for name, sent in names.items() if sent is None and name in given.clear}
    return _changed(order.assign(task=task, actor=actor, **names | cleared))


def _task(actor: Actor, given: WorkloadManager) -> Task:
    if not given.task_id:
        raise invalid([{"at": "task_id", "problem": f"is required for {given.action}"}])
    return task_by_id(actor.project, given.task_id)


def _changed(did: Effect) -> Facts:
    task = did.task
    return {
        **of_tasks.row(task),
        "priority": task.priority_word,
        "not_before": task.not_before.isoformat(timespec="minutes") if task.not_before else None,
        "for_client": task.for_client or None,
        "for_model": task.for_model or None,
        "changed_total": did.changed_total,
        "next": "orchestrator_specialist_intelligence(action='next_task') shows the order now.",
    }


_READING = ("check_capacity", "suggest_rebalancing")
_ACTIONS: dict[str, Callable[[Actor, WorkloadManager], dict[str, Any]]] = {
    "check_capacity": _capacity,
    "suggest_rebalancing": _suggest,
    "apply": _apply,
    "defer_task": _defer,
    "priority_boost": _boost,
    "assign_task": _assign,
}
