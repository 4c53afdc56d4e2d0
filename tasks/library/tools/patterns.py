"""The tool pattern_extractor: templates drafted from finished plans, and how plans of each template went."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from pydantic import Field

from orchestrator_site.kernel.text import shortened, within_bytes
from orchestrator_site.mcp.registry import LONG, Arguments, tool
from orchestrator_site.mcp.schema import HIDDEN
from tasks import serializers as of_tasks
from tasks.identity.actor import Actor
from tasks.library.patterns.comparing import ENOUGH, Drift, Success
from tasks.library.selectors.patterns import Finished, analysis, draft_of
from tasks.library.serializers import rates_facts
from tasks.library.services.templates import checked_text, save_template
from tasks.library.tools.templates import needed, saved_facts, valid_facts
from tasks.selectors.find import task_by_id
from tasks.services.caller import Caller
from tasks.services.idempotency import run_once

Answer = dict[str, Any]
PART_BYTES = 500
TEXT_BYTES = 1200
TITLES = 5
LINE = 60


class PatternExtractor(Arguments):
    aliases: ClassVar[dict[str, str]] = {
        "plan_id": "source_project_id", "task_id": "source_project_id", "template": "text", "pattern": "text",
    }  # fmt: skip
    action: Literal["analyze_project", "extract_patterns", "validate_pattern", "save_template"]
    source_project_id: str | None = Field(None, description="A finished plan")
    text: str | None = Field(None, max_length=LONG, description="YAML")
    detail: Literal["short", "full"] = Field("short", json_schema_extra={HIDDEN: True})
    session_id: str | None = None
    idempotency_key: str | None = Field(None, json_schema_extra={HIDDEN: True})


@tool(
    "orchestrator_pattern_extractor",
    title="Patterns in finished plans",
    description="Compare finished plans, and draft templates from them.",
    arguments=PatternExtractor,
    toolset="templates",
    scope="read",  # and what the action needs
)
def pattern_extractor(caller: Caller, given: PatternExtractor) -> Answer:
    actor = caller.actor(given.session_id)
    return run_once(
        project=actor.project,
        operation="pattern_extractor",
        key=given.idempotency_key,
        request=of_tasks.request_of(given),
        produce=lambda: _ACTIONS[given.action](actor, given),
    )


def _analyze(actor: Actor, given: PatternExtractor) -> Answer:
    found = analysis(actor.project)
    return {
        "finished": of_tasks.within(found.finished, _finished, budget=PART_BYTES),
        "finished_total": len(found.finished),
        "success": of_tasks.within(found.success, _success, budget=PART_BYTES),
        "drift": of_tasks.within(found.drift, _drift, budget=PART_BYTES),
        "drift_total": len(found.drift),
        "next": "extract_patterns(source_project_id) drafts a template from a finished plan."
        if found.finished
        else "Finish a plan first.",
    }


def _extract(actor: Actor, given: PatternExtractor) -> Answer:
    draft = draft_of(task_by_id(actor.project, needed(given, "source_project_id")))
    text = draft.text if given.detail == "full" else within_bytes(draft.text, TEXT_BYTES)
    rest = "" if text == draft.text else "detail='full' answers all of the text. "
    return {
        "text": text,
        "parameters": [{"name": name, "for": shortened(words, LINE)} for words, name in draft.parameters.items()][:8],
        "added": [shortened(title, LINE) for title in draft.added[:TITLES]],
        "added_total": len(draft.added),
        "cancelled": [shortened(title, LINE) for title in draft.cancelled[:TITLES]],
        "cancelled_total": len(draft.cancelled),
        "next": f"{rest}It is a draft: go through it with the user, then save_template(text).",
    }


def _validate(actor: Actor, given: PatternExtractor) -> Answer:
    template = checked_text(actor.project, needed(given, "text"))
    return valid_facts(template) | {"next": "save_template saves it for this project."}


def _save(actor: Actor, given: PatternExtractor) -> Answer:
    source = task_by_id(actor.project, given.source_project_id) if given.source_project_id else None
    saved = save_template(project=actor.project, actor=actor, text=needed(given, "text"), drafted_from=source)
    next = f"orchestrator_template_manager(action='show_template', name={saved.name!r}) previews a plan."
    return saved_facts(saved) | {"next": next}


_ACTIONS: dict[str, Callable[[Actor, PatternExtractor], Answer]] = {
    "analyze_project": _analyze,
    "extract_patterns": _extract,
    "validate_pattern": _validate,
    "save_template": _save,
}


def _finished(found: Finished) -> Answer:
    title = shortened(found.title, LINE)
    return {"task_id": found.task_id, "title": title, "steps": found.steps, "like": list(found.like[:TITLES])}


def _success(found: Success) -> Answer:
    name = {"template": found.template, "version": found.version} if found.template else {"template": "(none)"}
    about = rates_facts(found.rates) if found.rates else {"rates": f"too few, below {ENOUGH}"}
    return {**name, "plans": found.plans, "n": found.ended, **about}


def _drift(found: Drift) -> Answer:
    facts: Answer = {
        "task_id": found.plan,
        "template": found.template,
        "is_changed": found.is_changed,
        "is_gone": found.is_gone,
        "added": [shortened(title, LINE) for title in found.added[:TITLES]],
        "cancelled": [shortened(title, LINE) for title in found.cancelled[:TITLES]],
    }
    return {name: value for name, value in facts.items() if value}
