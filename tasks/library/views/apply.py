"""Plan with a template: a form of its parameters, a preview, and the plan that was previewed."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render

from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import Conflict, Invalid, OrchestratorError, invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.web.advice import in_words
from orchestrator_site.web.field_errors import errors_by_field
from orchestrator_site.web.pages import form
from tasks.identity.page import actor_of, find_project
from tasks.library.catalogue import Entry
from tasks.library.selectors.pages import as_planned
from tasks.library.selectors.templates import preview
from tasks.library.services.apply import apply_template
from tasks.library.templating.format import ITEMS_LIMIT, Parameter, Type
from tasks.library.views.find import find_template
from tasks.models import Project
from tasks.services.idempotency import run_once


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter as a field of a form: the string in it, and what is wrong with that."""

    parameter: Parameter
    value: str
    errors: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"parameters.{self.parameter.name}"

    @property
    def choices(self) -> list[tuple[str, str]]:
        """What can be chosen, each with its label."""
        if self.parameter.type == Type.BOOLEAN:
            return [("true", "yes"), ("false", "no")]
        return [(each, each) for each in self.parameter.choices]

    @property
    def given(self) -> Any:
        """What the form says, as the service takes it; empty for the default."""
        if self.parameter.type == Type.BOOLEAN and self.value:
            return self.value == "true"
        if self.parameter.type == Type.LIST:
            return [line.strip() for line in self.value.split("\n") if line.strip()]
        return self.value


@form(Scope.WRITE)
def apply(request: HttpRequest, slug: str, name: str) -> HttpResponseBase:
    """Show the form, then the preview below it; that has a form of its own, which plans exactly what it shows."""
    project = find_project(slug)
    entry = find_template(project, name)
    parameters = entry.template.parameters.values()
    if request.method != "POST":
        return _form(request, project, entry, [Field(each, as_typed(each.default)) for each in parameters])
    fields = [Field(each, _typed(request, each)) for each in parameters]
    if not request.POST.get("sha256"):
        return _form(request, project, entry, fields, previewed=True)
    try:
        with db_errors_mapped("a template on a page"):
            plan_id = _planned(request, project, name, {each.parameter.name: each.given for each in fields})
    except OrchestratorError as error:
        return _form(request, project, entry, fields, previewed=True, error=error)
    messages.success(request, "Planned. Assistants can claim its first tasks now.")
    return redirect("task", plan_id)


def _planned(request: HttpRequest, project: Project, name: str, parameters: dict[str, Any]) -> str:
    """Make the plan once, however often the button of one preview is pressed, and return its id."""
    seen = request.POST.get("sha256", "")
    answer = run_once(
        project=project,
        operation=f"plan_from_page {name}",
        key=request.POST.get("key") or None,
        request={"sha256": seen, "parameters": parameters},
        produce=lambda: {"task_id": _apply(request, project, name, parameters, seen)},
    )
    return str(answer["task_id"])


def _apply(request: HttpRequest, project: Project, name: str, parameters: dict[str, Any], seen: str) -> str:
    made = apply_template(project=project, actor=actor_of(request), name=name, sha256=seen, parameters=parameters)
    return made.plan.root.public_id


def _form(
    request: HttpRequest,
    project: Project,
    entry: Entry,
    fields: list[Field],
    *,
    previewed: bool = False,
    error: OrchestratorError | None = None,
) -> HttpResponse:
    shown = None
    try:
        if previewed:
            shown = preview(project, entry, {each.parameter.name: each.given for each in fields})
    except Conflict as refused:
        error = error or refused
    problems = shown.problems if shown else []
    wrong = errors_by_field(Invalid("", details={"problems": problems}))
    if not_taken := [each for each in problems if not each["at"].startswith("parameters")]:
        error = error or invalid(not_taken, next="Change a parameter or the template.")
    context = {
        "project": project,
        "template": entry.template,
        "sha256": entry.sha256,
        "key": secrets.token_urlsafe(16),
        "fields": [replace(each, errors=wrong.get(each.name, [])) for each in fields],
        "unplannable": wrong.get("parameters", []),
        "most": ITEMS_LIMIT,
        "preview": None if problems else shown,
        "steps": as_planned(shown.steps) if shown else [],
        "error": error,
        "note": in_words(error) if error else "",
    }
    status = error.status if error else 400 if problems else 200
    return render(request, "library/apply.html", context, status=status)


def as_typed(value: Any) -> str:
    """Return a value of a parameter as it is typed into its field."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "\n".join(value) if isinstance(value, list | tuple) else "" if value is None else str(value)


def _typed(request: HttpRequest, parameter: Parameter) -> str:
    return request.POST.get(f"parameters.{parameter.name}", "").replace("\r\n", "\n")
