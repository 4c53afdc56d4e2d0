"""The tool template_manager: the templates of plans listed, shown, previewed, saved and applied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, WithJsonSchema, field_validator

from orchestrator_site.kernel.errors import invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.text import shortened, within_bytes
from orchestrator_site.mcp.registry import LONG, Arguments, tool
from orchestrator_site.mcp.schema import HIDDEN
from tasks import serializers as of_tasks
from tasks.identity.actor import Actor
from tasks.library.catalogue import DEFAULT, Entry, catalogue
from tasks.library.selectors.templates import PlannedStep, Suggestion, preview, suggested
from tasks.library.serializers import parameter_facts
from tasks.library.services.apply import apply_template
from tasks.library.services.templates import checked_text, delete_template, save_template
from tasks.library.templating.format import Parameter, Step, Template
from tasks.project_settings import OFF, setting
from tasks.selectors.find import task_by_id
from tasks.services.caller import Caller
from tasks.services.idempotency import run_once

Answer = dict[str, Any]
TOOLSET = "templates"
ROWS_BYTES = 1200
PARAMETERS_BYTES = 600
STEPS_BYTES = 700
LINE = 100
Action = Literal[
    "list_templates", "suggest_templates", "show_template", "apply_template", "validate_template", "create_template",
    "delete_template",
]  # fmt: skip
_OTHER_WORDS = {
    "list": "list_templates",
    "info": "show_template",
    "load": "show_template",
    "instantiate": "apply_template",
    "validate": "validate_template",
    "create": "create_template",
    "delete": "delete_template",
    "suggest": "suggest_templates",
}
PARAMETERS = Annotated[dict[str, Any], WithJsonSchema({"type": "string", "maxLength": LONG})]
"""Clients fail on objects without properties, so that the schema asks for JSON in a string. An object is taken too."""


class TemplateManager(Arguments):
    aliases: ClassVar[dict[str, str]] = {"template": "name", "template_id": "name", "template_name": "name"}
    action: Action
    name: str | None = None
    parameters: PARAMETERS | None = Field(None, description="JSON; show_template previews with them")
    text: str | None = Field(None, max_length=LONG, description="YAML")
    description: str | None = Field(None, max_length=LONG, description="To suggest for")
    sha256: str | None = Field(None, description="Of a preview")
    parent_task_id: str | None = Field(None, json_schema_extra={HIDDEN: True})
    session_id: str | None = None
    idempotency_key: str | None = Field(None, json_schema_extra={HIDDEN: True})

    @field_validator("action", mode="before")
    @classmethod
    def _known_word(cls, given: Any, info: ValidationInfo) -> Any:
        word = given.removeprefix("template_") if isinstance(given, str) else ""
        if right := _OTHER_WORDS.get(word):
            (info.context or {}).get("repaired", []).append(f"action {given}: taken as {right}")
        return right or given


@tool(
    "orchestrator_template_manager",
    title="Templates of plans",
    description="Find, show, apply, edit templates of plans.",
    arguments=TemplateManager,
    toolset=TOOLSET,
    scope="read",  # and what the action needs
    destructive=True,
)
def template_manager(caller: Caller, given: TemplateManager) -> Answer:
    actor = caller.actor(given.session_id)
    if given.action == "apply_template":
        actor.require(Scope.WRITE)
    return run_once(
        project=actor.project,
        operation="template_manager",
        key=given.idempotency_key,
        request=of_tasks.request_of(given),
        produce=lambda: _ACTIONS[given.action](actor, given),
    )


def _list(actor: Actor, given: TemplateManager) -> Answer:
    found = catalogue(actor.project)
    entries = sorted(found.templates.values(), key=lambda entry: (entry.source == DEFAULT, entry.name))
    rows = of_tasks.within(entries, _row, budget=ROWS_BYTES)
    return {
        "templates": rows,
        "templates_total": len(found.templates),
        "problems": [within_bytes(problem, 200) for problem in found.problems[:2]],
        "next": "show_template(name) has its parameters and steps; apply_template plans it.",
    }


def _suggest(actor: Actor, given: TemplateManager) -> Answer:
    if setting(actor.project, "templates.suggest") == OFF:
        return {"templates": [], "next": "This project suggests no templates: list_templates has all."}
    found = suggested(catalogue(actor.project), needed(given, "description"))
    return {
        "templates": of_tasks.within(found, _suggestion, budget=ROWS_BYTES),
        "next": "show_template(name), then apply_template."
        if found
        else "None fits: list_templates has all, or plan with orchestrator_plan_task.",
    }


def _show(actor: Actor, given: TemplateManager) -> Answer:
    entry = catalogue(actor.project).entry(needed(given, "name"))
    about = {
        "name": entry.name, "version": entry.template.version or None, "source": within_bytes(entry.source, LINE),
        "sha256": entry.sha256, "problems": [within_bytes(problem, 200) for problem in entry.problems[:1]],
    }  # fmt: skip
    return about | (_asked(entry) if given.parameters is None else _previewed(actor, entry, given.parameters))


def _asked(entry: Entry) -> Answer:
    steps, parameters = entry.template.steps, entry.template.parameters
    return {
        "when": shortened(entry.template.when, 2 * LINE) or None,
        "parameters": of_tasks.within(parameters.values(), _parameter, budget=PARAMETERS_BYTES),
        "parameters_total": len(parameters),
        "steps": of_tasks.within(steps, _step, budget=STEPS_BYTES),
        "steps_total": len(steps),
        "next": "Fix what problems says first; nothing is planned of this one."
        if entry.problems
        else "show_template with parameters previews the plan; apply_template(name, parameters) makes it.",
    }


def _previewed(actor: Actor, entry: Entry, parameters: dict[str, Any]) -> Answer:
    seen = preview(actor.project, entry, parameters)
    if seen.problems:
        raise invalid(seen.problems, next="Change a parameter or the template.")
    return {
        "description": shortened(seen.description, 2 * LINE),
        "steps": of_tasks.within(seen.steps, _planned_step, budget=ROWS_BYTES),
        "steps_total": len(seen.steps),
        "left_out": list(seen.left_out)[:20],
        "next": "apply_template with the same parameters and this sha256 makes exactly this plan.",
    }


def _apply(actor: Actor, given: TemplateManager) -> Answer:
    project = actor.project
    made = apply_template(
        project=project,
        actor=actor,
        name=needed(given, "name"),
        parameters=given.parameters or {},
        sha256=given.sha256 or "",
        description=given.description or "",
        parent=task_by_id(project, given.parent_task_id) if given.parent_task_id else None,
    )
    return {**of_tasks.planned(made.plan), "left_out": list(made.left_out)[:20]}


def _validate(actor: Actor, given: TemplateManager) -> Answer:
    template = checked_text(actor.project, needed(given, "text"), name=given.name or "")
    return valid_facts(template) | {"next": "create_template saves it for this project."}


def valid_facts(template: Template) -> Answer:
    names = list(template.parameters)[:20]
    return {"valid": True, "name": template.name, "steps_total": len(template.steps), "parameters": names}


def _create(actor: Actor, given: TemplateManager) -> Answer:
    saved = save_template(project=actor.project, actor=actor, text=needed(given, "text"), name=given.name or "")
    return saved_facts(saved) | {"next": "show_template with parameters previews a plan."}


def saved_facts(saved: Entry) -> Answer:
    version = saved.template.version or None
    return {"name": saved.name, "number": saved.number, "version": version, "sha256": saved.sha256}


def _delete(actor: Actor, given: TemplateManager) -> Answer:
    name = needed(given, "name")
    delete_template(project=actor.project, actor=actor, name=name)
    below = catalogue(actor.project).templates.get(name)
    return {"deleted": name, "in_effect_now": within_bytes(below.source, LINE) if below else None}


def needed(given: Any, name: str) -> str:
    """Return an argument that the action of a tool cannot do without."""
    if value := getattr(given, name):
        return str(value)
    raise invalid([{"at": name, "problem": f"is required for {given.action}"}], next="Send it too.")


_ACTIONS: dict[str, Callable[[Actor, TemplateManager], Answer]] = {
    "list_templates": _list,
    "suggest_templates": _suggest,
    "show_template": _show,
    "apply_template": _apply,
    "validate_template": _validate,
    "create_template": _create,
    "delete_template": _delete,
}


def _row(entry: Entry) -> Answer:
    about = entry.template.when or entry.template.title
    facts = {"name": entry.name, "when": within_bytes(shortened(about, LINE), LINE)}
    return facts if entry.source == DEFAULT else facts | {"source": within_bytes(entry.source, LINE)}


def _suggestion(found: Suggestion) -> Answer:
    required = [each.name for each in found.entry.template.parameters.values() if each.required]
    return {**_row(found.entry), "fits": list(found.words)[:5], "required": required[:10]}


def _parameter(about: Parameter) -> Answer:
    facts = parameter_facts(about)
    return facts | {"description": shortened(about.description, LINE)} if about.description else facts


def _step(step: Step) -> Answer:
    facts: Answer = {"key": step.key, "specialist_type": step.specialist, "needs": list(step.needs)[:10]}
    facts["gates"] = [gate["name"] for gate in step.gates]
    facts |= {"for_each": step.for_each, "if": step.condition is not None}
    return {name: value for name, value in facts.items() if value}


def _planned_step(step: PlannedStep) -> Answer:
    subtask = step.subtask
    facts: Answer = {
        "key": subtask.key,
        "title": shortened(subtask.title, of_tasks.TITLE_LENGTH),
        "specialist_type": subtask.specialist,
        "needs": list(subtask.dependencies)[:10],
        "gates": [gate.name for gate in step.gates],
    }
    return {name: value for name, value in facts.items() if value}
