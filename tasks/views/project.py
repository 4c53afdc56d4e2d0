"""Pages of one project: its plans, and its tasks as a table."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from tasks.choices import Status
from tasks.models import Project
from tasks.queries import board
from tasks.views.page import find_project, page, page_number, text_in

KINDS = {"leaf": "Work only", "plan": "Plans only"}


@page
def project(request: HttpRequest, slug: str) -> HttpResponse:
    found = find_project(slug)
    filters = _filters(request, "status", "specialist", "q")
    context = {
        **_list_context(found, filters),
        "rows": board.plans(found, filters=filters, page=page_number(request)),
        "counts": board.count_by("project_id", [found.pk])[found.pk],
        "waiting": board.waiting(found),
        "artifacts": board.recent_artifacts(found),
    }
    return render(request, "tasks/project.html", context)


@page
def tasks(request: HttpRequest, slug: str) -> HttpResponse:
    found = find_project(slug)
    filters = _filters(request, "status", "specialist", "plan", "kind", "q")
    context = {
        **_list_context(found, filters),
        "rows": board.tasks(found, filters=filters, page=page_number(request)),
        "kinds": KINDS,
    }
    return render(request, "tasks/tasks.html", context)


def _list_context(found: Project, filters: board.Filters) -> dict[str, object]:
    return {
        "project": found,
        "filters": filters,
        "statuses": Status.choices,
        "specialists": board.specialists_seen(found),
    }


def _filters(request: HttpRequest, *names: str) -> board.Filters:
    """Read filters from the address; states and kinds that do not exist are no filter."""
    given = {name: text_in(request, name) for name in names}
    if given.get("status") not in Status.values:
        given["status"] = ""
    if given.get("kind") not in KINDS:
        given["kind"] = ""
    return board.Filters(**given)
