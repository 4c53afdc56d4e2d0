"""Specialists of a project. Administrators can edit them with a live preview of the brief."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from artifacts.reports.brief import preview
from orchestrator_site.kernel.commits import unchanged
from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import Conflict, NotFound, OrchestratorError, Stale
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.web.advice import in_words
from orchestrator_site.web.field_errors import errors_by_field
from orchestrator_site.web.pages import form, page, text_in
from tasks.identity.page import actor_of, find_project
from tasks.models import Project
from tasks.roles import NAME, Role, catalogue
from tasks.selectors import specialists as query
from tasks.services.specialists import delete_specialist, put_specialist

_TEXTS = ("role_definition", "expertise", "approach", "output_format")


@page
def specialists(request: HttpRequest, slug: str) -> HttpResponse:
    found = find_project(slug)
    roles, uses = catalogue(found), query.uses_of(found)
    context = {
        "project": found,
        "rows": query.described(roles, uses),
        "problems": roles.problems,
        "unknown": [(name, uses[name]) for name in sorted(uses) if name not in roles.roles],
    }
    return render(request, "tasks/specialists.html", context)


@page
def specialist(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    found = find_project(slug)
    role = _role(found, name)
    context = {
        "project": found,
        "row": query.Described(role, query.use_of(found, name)),
        "tasks": query.tasks_of(found, name),
        "own": query.own_row(found, name),
    }
    return render(request, "tasks/specialist.html", context)


@form(Scope.ADMIN)
def edit(request: HttpRequest, slug: str, name: str) -> HttpResponseBase:
    found = find_project(slug)
    role = catalogue(found).roles.get(name)
    if request.method == "POST":
        return _sent(request, found, _Draft.typed(request, name), role)
    if role is None:
        raise Http404
    if query.Described(role).is_file:
        return redirect("specialist", slug=slug, name=name)
    return _form(request, found, _Draft.of(role), role)


@form(Scope.ADMIN)
def new(request: HttpRequest, slug: str) -> HttpResponseBase:
    found = find_project(slug)
    if request.method == "POST":
        return _sent(request, found, _Draft.typed(request, request.POST.get("name", "").strip()), None)
    return _form(request, found, _Draft(name=text_in(request, "name")), None)


@form(Scope.ADMIN)
def reset(request: HttpRequest, slug: str, name: str) -> HttpResponseBase:
    found = find_project(slug)
    role = _role(found, name)
    if request.method != "POST":
        below = catalogue(None).roles.get(name)
        context = {"project": found, "role": role, "seen": query.fingerprint(role), "below": below}
        return render(request, "tasks/specialist_reset.html", context)
    try:
        guard = partial(_require_unchanged, seen=request.POST.get("seen", ""))
        delete_specialist(project=found, actor=actor_of(request), name=name, guard=guard)
    except (Stale, NotFound) as error:
        messages.error(request, f"{error.message} {unchanged()}")
        return redirect("specialist", slug=slug, name=name)
    if name not in catalogue(found).roles:
        messages.success(request, f"{name} removed.")
        return redirect("specialists", slug=slug)
    messages.success(request, f"{name} reset. The change applies to the next brief.")
    return redirect("specialist", slug=slug, name=name)


def _role(project: Project, name: str) -> Role:
    role = catalogue(project).roles.get(name)
    if role is None:
        raise Http404
    return role


@dataclass(frozen=True, slots=True)
class _Draft:
    """A role as form fields: lists are lines of text."""

    name: str = ""
    role_definition: str = ""
    expertise: str = ""
    approach: str = ""
    output_format: str = ""

    @classmethod
    def of(cls, role: Role) -> _Draft:
        lists = "\n".join(role.expertise), "\n".join(role.approach)
        return cls(role.name, role.role_definition, *lists, role.output_format)

    @classmethod
    def typed(cls, request: HttpRequest, name: str) -> _Draft:
        return cls(name, **{each: request.POST.get(each, "").replace("\r\n", "\n") for each in _TEXTS})

    def as_role(self) -> Role:
        lists = _items(self.expertise), _items(self.approach)
        return Role(self.name, self.role_definition.strip(), *lists, self.output_format.strip())


def _items(lines: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in lines.split("\n") if line.strip())


def _sent(request: HttpRequest, project: Project, draft: _Draft, role: Role | None) -> HttpResponseBase:
    if request.POST.get("do") == "preview":
        return _form(request, project, draft, role)
    seen = request.POST.get("seen", "")
    try:
        with db_errors_mapped("a specialist on a page"):
            values = draft.as_role()
            put_specialist(
                project=project,
                actor=actor_of(request),
                name=draft.name,
                **{each: getattr(values, each) for each in _TEXTS},
                guard=_is_free if _is_new(request) else partial(_require_unchanged, seen=seen),
            )
    except OrchestratorError as error:
        return _form(request, project, draft, role, error)
    messages.success(request, f"{draft.name} saved. The change applies to the next brief.")
    return redirect("specialist", slug=project.slug, name=draft.name)


def _is_new(request: HttpRequest) -> bool:
    return request.resolver_match is not None and request.resolver_match.url_name == "specialist-new"


def _is_free(role: Role | None) -> None:
    if role is not None:
        taken = {"at": "name", "problem": "A specialist with this name already exists."}
        raise Conflict(taken["problem"], next="Edit the existing one.", details={"problems": [taken]})


def _require_unchanged(role: Role | None, seen: str) -> None:
    if query.fingerprint(role) != seen:
        raise Stale("Someone else changed this specialist while this form was open.")


def _form(
    request: HttpRequest, project: Project, draft: _Draft, role: Role | None, error: OrchestratorError | None = None
) -> HttpResponse:
    seen = "" if isinstance(error, Stale) else request.POST.get("seen", "")
    errors = errors_by_field(error)
    is_new = _is_new(request)
    back = "specialists" if is_new else "specialist"
    task_id = request.POST.get("task", "")
    tasks = query.tasks_of(project, draft.name) if NAME.fullmatch(draft.name) else []
    if request.method != "POST" and tasks:
        task_id = tasks[0].public_id
    note = in_words(error) if error and not isinstance(error, Stale) else ""
    context: dict[str, Any] = {
        "project": project,
        "draft": draft,
        "is_new": is_new,
        "role": role,
        "seen": seen or query.fingerprint(role),
        "tasks": tasks,
        "task_id": task_id,
        "brief": preview(project, draft.as_role(), task_id),
        "errors": errors,
        "note": "Not saved. Fix the errors below." if errors else note,
        "lost": query.last_editor(project, draft.name) or "someone" if isinstance(error, Stale) else "",
        "back": reverse(back, args=[project.slug] if is_new else [project.slug, draft.name]),
    }
    return render(request, "tasks/specialist_edit.html", context, status=error.status if error else 200)
