"""The home page, and the overview and task table of a project."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from artifacts.search.service import tasks_found
from artifacts.selectors import cards, home
from artifacts.selectors.artifacts import recent_artifacts
from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.pages import page, page_number, text_in
from tasks.choices import WAITS_FOR_A_PERSON, Status
from tasks.identity.page import find_project
from tasks.models import Project
from tasks.selectors import board
from tasks.selectors.rows import count_by

KINDS = {"leaf": "Tasks without subtasks", "plan": "Plans"}


@page
def projects(request: HttpRequest) -> HttpResponse:
    rows = board.projects(page=page_number(request))
    facts = {"rows": rows, "is_owner": Scope.ADMIN in scopes_of(request.user)}
    if not rows.items and rows.page == 1:
        return render(request, "tasks/welcome.html", facts)
    show = text_in(request, "show")
    show = show if show in WAITS_FOR_A_PERSON else ""
    facts |= {"glance": home.glance((row.project for row in rows.items), show=show), "now": timezone.now()}
    return render(request, "tasks/home.html", facts)


@page
def project_list(request: HttpRequest) -> HttpResponse:
    return render(request, "tasks/projects.html", {"rows": board.projects(page=page_number(request))})


@page
def project(request: HttpRequest, slug: str) -> HttpResponse:
    found = find_project(slug)
    filters = _filters(request, "status", "specialist", "q")
    rows = board.plans(found, filters=filters, page=page_number(request), matches=tasks_found(found, filters.q))
    waiting, scopes = board.waiting(found), scopes_of(request.user)
    context = {
        **_list_context(found, filters),
        "rows": rows,
        "counts": count_by("project_id", [found.pk])[found.pk],
        "moving": cards.moving(found, scopes),
        "waiting": waiting,
        "acts": cards.with_offers([*(row.task for row in rows.items), *waiting], scopes),
        "artifacts": recent_artifacts(found, limit=board.PANEL_ROWS),
    }
    return render(request, "tasks/project.html", context)


@page
def tasks(request: HttpRequest, slug: str) -> HttpResponse:
    found = find_project(slug)
    filters = _filters(request, "status", "specialist", "plan", "kind", "q")
    rows = board.tasks(found, filters=filters, page=page_number(request), matches=tasks_found(found, filters.q))
    context = {
        **_list_context(found, filters),
        "rows": rows,
        "acts": cards.with_offers(rows.items, scopes_of(request.user)),
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
    given = {name: text_in(request, name) for name in names}
    if given.get("status") not in Status.values:
        given["status"] = ""
    if given.get("kind") not in KINDS:
        given["kind"] = ""
    return board.Filters(**given)
