"""The resources of a project: who holds them, and what there is."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone

from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import Conflict, OrchestratorError
from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.advice import in_words
from orchestrator_site.web.field_errors import errors_by_field
from orchestrator_site.web.pages import action_view, form, require, text_in
from tasks.identity.page import actor_of, find_project
from tasks.models import Project, Resource
from tasks.selectors.resources import resources_of
from tasks.services.resources import CAPACITY_LIMIT, TITLE_LIMIT, delete_resource, let_go, put_resource

Values = dict[str, str]


@form(Scope.READ)
def resources(request: HttpRequest, slug: str) -> HttpResponseBase:
    found = find_project(slug)
    if request.method != "POST":
        return _page(request, found)
    require(request, Scope.ADMIN)
    try:
        with db_errors_mapped("a resource on a page"):
            messages.success(request, _changed(request, found))
    except OrchestratorError as error:
        return _page(request, found, error)
    return redirect("resources", slug=slug)


@action_view(Scope.REVIEW)
def free(request: HttpRequest, slug: str) -> HttpResponse:
    """Give back what a session holds alone."""
    found, name, number = find_project(slug), request.POST.get("resource", ""), request.POST.get("number", "")
    valid = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
    try:
        with db_errors_mapped("a hold on a page"):
            let_go(project=found, actor=actor_of(request), name=name, number=valid)
        messages.success(request, f"{name} freed.")
    except Conflict as error:
        messages.error(request, in_words(error))
    return redirect("resources", slug=slug)


def _changed(request: HttpRequest, project: Project) -> str:
    actor, edited = actor_of(request), request.POST.get("edit", "")
    if request.POST.get("do") == "delete":
        delete_resource(project=project, actor=actor, name=edited)
        return f"{edited} deleted."
    typed = _typed(request)
    capacity: Any = int(typed["capacity"]) if typed["capacity"].isascii() and typed["capacity"].isdigit() else None
    name = edited or typed["name"]
    guard = None if edited else _require_new
    put_resource(project=project, actor=actor, name=name, title=typed["title"], capacity=capacity, guard=guard)
    return f"{name} saved."


def _typed(request: HttpRequest) -> Values:
    return {name: request.POST.get(name, "").strip()[:1000] for name in ("name", "title", "capacity")}


def _require_new(resource: Resource | None) -> None:
    if resource is not None:
        taken = {"at": "name", "problem": "A resource with this name already exists."}
        raise Conflict(taken["problem"], next="Edit it.", details={"problems": [taken]})


def _page(request: HttpRequest, project: Project, error: OrchestratorError | None = None) -> HttpResponse:
    rows = list(resources_of(project))
    wanted = request.POST.get("edit", "") or text_in(request, "edit")
    edited = next((row for row in rows if row.name == wanted), None)
    values = {"name": "", "title": "", "capacity": "1"}
    if edited is not None:
        values = {"name": edited.name, "title": edited.title, "capacity": str(edited.capacity)}
    errors = errors_by_field(error)
    context = {
        "project": project,
        "rows": rows,
        "edited": edited,
        "values": _typed(request) if error else values,
        "errors": errors,
        "note": "Not saved. Fix the errors below." if errors else in_words(error) if error else "",
        "code": error.code if error else "",
        "may_free": Scope.REVIEW in scopes_of(request.user),
        "may_edit": Scope.ADMIN in scopes_of(request.user),
        "title_limit": TITLE_LIMIT,
        "capacity_limit": CAPACITY_LIMIT,
        "now": timezone.now(),
    }
    return render(request, "tasks/resources.html", context, status=error.status if error else 200)
