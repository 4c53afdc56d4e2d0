"""Recurring plans: the list with its switches, and the form with the next times."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import OrchestratorError, Stale
from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.advice import in_words
from orchestrator_site.web.field_errors import errors_by_field
from orchestrator_site.web.pages import action_view, form, page, text_in
from tasks.identity.page import actor_of, find_project
from tasks.library import schedules
from tasks.library.catalogue import Library, catalogue
from tasks.library.models import Recurring
from tasks.library.selectors.recurring import NOT_PLANNED, next_times, recurring_of, zone_of
from tasks.library.services.recurring import create_recurring, delete_recurring, edit_recurring, plan_now
from tasks.library.templating.format import ITEMS_LIMIT
from tasks.library.views.apply import Field, as_typed
from tasks.models import Project

_SWITCHES = {"on": True, "off": False}


@dataclass(frozen=True, slots=True)
class Shown:
    """A row of the list, with when it comes in words, and its next turns."""

    row: Recurring
    says: str
    times: list[datetime]

    @classmethod
    def of(cls, row: Recurring) -> Shown:
        return cls(row, schedules.in_words(row.cron, row.every_minutes), next_times(row, timezone.now()))

    @property
    def is_broken(self) -> bool:
        return self.row.outcome.startswith(NOT_PLANNED)

    @property
    def problem(self) -> str:
        return self.row.outcome.removeprefix(NOT_PLANNED)


@dataclass(slots=True)
class Typed:
    """The form as it was typed, or as the row has it; `values` are of the parameters."""

    template: str
    name: str = ""
    cron: str = ""
    every_minutes: str = ""
    is_on: bool = False
    values: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, row: Recurring) -> Typed:
        values = {name: as_typed(value) for name, value in row.parameters.items()}
        minutes = "" if row.every_minutes is None else str(row.every_minutes)
        return cls(row.template, row.name, row.cron, minutes, row.is_on, values)

    @classmethod
    def sent(cls, request: HttpRequest, template: str) -> Typed:
        given = {name: request.POST.get(name, "").replace("\r\n", "\n").strip() for name in request.POST}
        values = {name.removeprefix("parameters."): value for name, value in given.items() if "." in name}
        name, cron, minutes = (given.get(each, "") for each in ("name", "cron", "every_minutes"))
        return cls(template, name, cron, minutes, "is_on" in given, values)

    def columns(self, fields: list[Field]) -> dict[str, Any]:
        """Return what the services take. What is no number of minutes is none that is allowed."""
        minutes = self.every_minutes
        number = int(minutes) if minutes.isascii() and minutes.isdecimal() and len(minutes) < 8 else 0
        return {
            "name": self.name,
            "template": self.template,
            "parameters": {each.parameter.name: given for each in fields if (given := each.given) not in ("", [])},
            "cron": self.cron,
            "every_minutes": number if minutes else None,
            "is_on": self.is_on,
        }


@page
def recurring(request: HttpRequest, slug: str) -> HttpResponse:
    project = find_project(slug)
    scopes = scopes_of(request.user)
    context = {
        "project": project,
        "rows": [Shown.of(row) for row in recurring_of(project)],
        "zone": zone_of(project),
        "may_edit": Scope.ADMIN in scopes,
        "may_plan": Scope.WRITE in scopes,
    }
    return render(request, "library/recurring.html", context)


@form(Scope.ADMIN)
def new(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Choose a template, then say when it comes and with which parameters."""
    project, library = find_project(slug), catalogue(find_project(slug))
    name = text_in(request, "template")
    if name not in library.templates:
        return render(request, "library/recurring_new.html", {"project": project, "templates": _choices(library)})
    if request.method == "POST":
        return _sent(request, project, library, Typed.sent(request, name), None)
    return _form(request, project, library, Typed(name, name), None)


@form(Scope.ADMIN)
def edit(request: HttpRequest, slug: str, recurring_id: int) -> HttpResponseBase:
    row = _find(slug, recurring_id)
    library = catalogue(row.project)
    if request.method == "POST":
        return _sent(request, row.project, library, Typed.sent(request, request.POST.get("template", "")), row)
    return _form(request, row.project, library, Typed.of(row), row)


@action_view(Scope.WRITE)
def act(request: HttpRequest, slug: str, recurring_id: int, verb: str) -> HttpResponseBase:
    """Switch one on or off, delete it, or plan it now; the services check who may."""
    row, actor = _find(slug, recurring_id), actor_of(request)
    try:
        with db_errors_mapped("a recurring plan on a page"):
            if verb == "plan":
                made = plan_now(recurring=row, actor=actor)
                messages.success(request, "Planned. Assistants can claim its first tasks now.")
                return redirect("task", made.plan.root.public_id)
            if verb == "delete":
                delete_recurring(recurring=row, actor=actor)
            elif verb in _SWITCHES:
                edit_recurring(recurring=row, actor=actor, columns={"is_on": _SWITCHES[verb]})
            else:
                raise Http404
    except OrchestratorError as error:
        messages.error(request, f"{row.name}: {in_words(error)}")
    else:
        done = "deleted. Its plans stay." if verb == "delete" else f"is {verb}."
        messages.success(request, f"{row.name} {done}")
    return redirect("recurring", slug)


def _find(slug: str, recurring_id: int) -> Recurring:
    return get_object_or_404(
        Recurring.objects.select_related("project", "last_plan"), project__slug=slug, pk=recurring_id
    )


def _sent(
    request: HttpRequest, project: Project, library: Library, typed: Typed, row: Recurring | None
) -> HttpResponseBase:
    if request.POST.get("do") == "times":
        return _form(request, project, library, typed, row)
    actor, columns = actor_of(request), typed.columns(_fields(library, typed))
    try:
        with db_errors_mapped("a recurring plan on a page"):
            if row is None:
                row = create_recurring(project=project, actor=actor, **columns)
            else:
                guard = partial(_require_unchanged, request.POST.get("seen", ""))
                row = edit_recurring(recurring=row, actor=actor, columns=columns, guard=guard)
    except OrchestratorError as error:
        return _form(request, project, library, typed, row, error)
    messages.success(request, f"{row.name} saved. It is {'on' if row.is_on else 'off'}.", extra_tags="saved")
    return redirect("recurring", project.slug)


def _fields(library: Library, typed: Typed) -> list[Field]:
    """Return the fields of a template's parameters; a default is only shown, so that it follows the template."""
    entry = library.templates.get(typed.template)
    parameters = entry.template.parameters.values() if entry else ()
    return [Field(each, typed.values.get(each.name, "")) for each in parameters]


def _form(
    request: HttpRequest,
    project: Project,
    library: Library,
    typed: Typed,
    row: Recurring | None,
    error: OrchestratorError | None = None,
) -> HttpResponse:
    fields, wrong = _fields(library, typed), errors_by_field(error)
    columns = typed.columns(fields)
    cron, minutes = columns["cron"], columns["every_minutes"]
    problems = schedules.problems(cron, minutes) if cron or minutes is not None else []
    wrong |= {each["at"]: [each["problem"]] for each in problems}
    schedule = schedules.Schedule(cron, minutes, zone_of(project))
    is_shown = not problems and (cron or minutes is not None)
    seen = "" if isinstance(error, Stale) else request.POST.get("seen", "")
    context = {
        "project": project,
        "row": row,
        "seen": seen or (_seen(row) if row else ""),
        "typed": typed,
        "templates": _choices(library),
        "fields": [Field(each.parameter, each.value, wrong.get(each.name, [])) for each in fields],
        "most": ITEMS_LIMIT,
        "errors": wrong,
        "error": error,
        "note": in_words(error) if error and not error.details.get("problems") else "",
        "says": schedules.in_words(cron, minutes) if is_shown else "",
        "times": schedule.following(timezone.now(), 3) if is_shown else [],
        "zone": zone_of(project),
        "least": schedules.LEAST_MINUTES,
    }
    return render(request, "library/recurring_edit.html", context, status=error.status if error else 200)


def _choices(library: Library) -> list[tuple[str, str]]:
    return [(name, library.templates[name].template.title) for name in sorted(library.templates)]


def _seen(row: Recurring) -> str:
    return row.changed_at.isoformat()


def _require_unchanged(seen: str, row: Recurring | None) -> None:
    if row and _seen(row) != seen:
        raise Stale(f"{row.changed_by} changed this plan while this form was open.", next="Save again to overwrite it.")
