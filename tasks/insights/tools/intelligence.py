"""The tool specialist_intelligence: who fits, how it went, what is next and how long it takes. It changes no task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from pydantic import Field

from orchestrator_site.kernel.text import shortened
from orchestrator_site.mcp.registry import Arguments, tool
from orchestrator_site.mcp.schema import HIDDEN
from tasks import serializers as of_tasks
from tasks.identity.actor import Actor
from tasks.insights.choices import Dimension, Name
from tasks.insights.selectors.figures import figures_of, uncounted
from tasks.insights.selectors.routing import suggest_specialist
from tasks.insights.selectors.success import COMPARED, success_of
from tasks.insights.selectors.times import times_like
from tasks.insights.selectors.workload import workload_of
from tasks.insights.serializers import OFF, Facts, figure_facts, loads_facts, success_facts, times_facts, wanted
from tasks.insights.services.next_task import suggest_next
from tasks.insights.services.suggestions import Suggested, suggest
from tasks.models import Project, Session, Task
from tasks.project_settings import setting
from tasks.selectors.blockers import why_nothing_is_ready
from tasks.selectors.find import task_by_id
from tasks.selectors.next_task import Candidate
from tasks.services.caller import Caller

TOOLSET = "routing"
ROWS_BYTES, FIGURES_BYTES = 900, 700
LINE = 80
Action = Literal[
    "analyze_performance", "suggest_assignment", "update_expertise", "get_workload", "next_task", "estimate"
]  # fmt: skip


class SpecialistIntelligence(Arguments):
    aliases: ClassVar[dict[str, str]] = {
        "specialist": "specialist_type", "requirements": "task_requirements", "description": "task_requirements",
    }  # fmt: skip
    action: Action
    specialist_type: str | None = None
    task_requirements: str | None = Field(None, description="Title, then details")
    task_id: str | None = None
    session_id: str | None = Field(None, json_schema_extra={HIDDEN: True})


@tool(
    "orchestrator_specialist_intelligence",
    title="Specialist intelligence",
    description="Suggest a specialist or the next task, with reasons.",
    arguments=SpecialistIntelligence,
    toolset=TOOLSET,
    read_only=True,  # that a suggestion was shown is kept, as the use of a tool is
)
def specialist_intelligence(caller: Caller, given: SpecialistIntelligence) -> Facts:
    session = caller.session(given.session_id)
    actor = Actor.assistant(session, caller.principal.scopes, caller.principal.task_id)
    return _ACTIONS[given.action](actor, session, given)


def _task(project: Project, given: SpecialistIntelligence) -> Task | None:
    return task_by_id(project, given.task_id) if given.task_id else None


def _suggest(actor: Actor, session: Session, given: SpecialistIntelligence) -> Facts:
    about = wanted(given.task_requirements or "", _task(session.project, given))
    made = suggest(project=session.project, actor=actor, **about)
    answer = made.answer
    return {
        "suggestions": [
            {"specialist_type": each.specialist, "confidence": round(each.confidence, 2)} for each in answer.choices
        ],
        "unsure": answer.is_unsure if answer.choices else None,
        "source": answer.source,
        "n": answer.n,
        "factors": of_tasks.within(answer.factors, _factor, budget=ROWS_BYTES),
        "turned_by": answer.turned_by.text if answer.turned_by else None,
        "taught_by": answer.taught_by,
        "suggestion_id": made.suggestion.public_id if made.suggestion else None,
        "next": _after_suggestion(made),
    }


def _after_suggestion(made: Suggested) -> str:
    if not made.answer.choices:
        return OFF
    if made.answer.is_unsure:
        return "Unsure: choose one of the two yourself, or another."
    return "Nothing is assigned: send specialist_type with plan_task or update_task."


def _factor(factor: Any) -> Facts:
    return {"kind": factor.kind, "text": shortened(factor.text, LINE), "weight": round(factor.weight, 2)}


def _analyze(actor: Actor, session: Session, given: SpecialistIntelligence) -> Facts:
    figures = figures_of(session.project)
    key = given.specialist_type or ""
    about = (Dimension.SPECIALIST, key) if key else (Dimension.PROJECT, "")
    dimensions = (Dimension.SPECIALIST, Dimension.CELL) if key else COMPARED
    rows = success_of(figures, dimensions, key, explore=setting(session.project, "routing.explore"))
    found = [figure for name in Name if (figure := figures.get(name, *about)) is not None]
    return {
        "days": figures.days,
        "as_of": figures.day.isoformat(),
        "success": of_tasks.within(rows, success_facts, budget=ROWS_BYTES),
        "success_total": len(rows),
        "figures": of_tasks.within(found, figure_facts, budget=FIGURES_BYTES),
        "figures_total": len(found),
        "next": "shrunk is drawn towards a mean. Only cells allow for how hard tasks are; clients and models do not."
        if rows
        else uncounted(session.project, figures) or "Nothing has finished in this time: complete some tasks first.",
    }


def _expertise(actor: Actor, session: Session, given: SpecialistIntelligence) -> Facts:
    known = _analyze(actor, session, given)
    following = "It follows from what was done and reviewed. To teach it, correct a task's specialist_type."
    return {"updated": False, **{name: known[name] for name in ("success", "success_total")}, "next": following}


def _workload(actor: Actor, session: Session, given: SpecialistIntelligence) -> Facts:
    figures = figures_of(session.project)
    found = workload_of(session.project, figures, specialist=given.specialist_type or "")
    following = "orchestrator_workload_manager(action='suggest_rebalancing') says what would help."
    following = uncounted(session.project, figures) or following
    return {**loads_facts(found), "next": following if found.loads else "There is nothing to do: plan a job."}


def _next(actor: Actor, session: Session, given: SpecialistIntelligence) -> Facts:
    who = session if session.pk else None
    found = suggest_next(project=session.project, actor=actor, session=who, specialist=given.specialist_type)
    if not found:
        why = why_nothing_is_ready(session.project, given.specialist_type, who)
        return {"why": f"{why.message} {why.next}", "details": why.details, "next": "Plan more, or ask again later."}
    return {
        "tasks": of_tasks.within(found, _candidate, budget=ROWS_BYTES),
        "next": f"orchestrator_execute_subtask(task_id={found[0].task.public_id!r}) claims the first.",
    }


def _candidate(found: Candidate) -> Facts:
    return {
        **of_tasks.pointer(found.task),
        "reasons": [shortened(reason.text, LINE) for reason in found.reasons],
        "overlaps": [
            {"task_id": each.task_id, "holder": each.holder, "paths": list(each.paths)[:3]}
            for each in found.overlaps[:2]
        ],
    }


def _estimate(actor: Actor, session: Session, given: SpecialistIntelligence) -> Facts:
    task = _task(session.project, given)
    specialist = given.specialist_type or (task.specialist if task else "")
    if not specialist and (task or given.task_requirements):
        about = wanted(given.task_requirements or "", task)
        answer = suggest_specialist(session.project, about["title"], about["description"])
        specialist = "" if answer.is_unsure else answer.choices[0].specialist
    figures = figures_of(session.project)
    found = times_like(figures, specialist, task.complexity if task else "")
    return {
        **times_facts(found),
        "estimated_effort": task.effort or None if task else None,
        "next": "Time of work, from claim to end, without waiting."
        if found
        else uncounted(session.project, figures) or "Too few tasks have finished to say; five are enough.",
    }


_ACTIONS: dict[str, Callable[[Actor, Session, SpecialistIntelligence], Facts]] = {
    "suggest_assignment": _suggest,
    "analyze_performance": _analyze,
    "update_expertise": _expertise,
    "get_workload": _workload,
    "next_task": _next,
    "estimate": _estimate,
}
