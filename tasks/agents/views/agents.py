"""The agents of a project, or of all: what runs, what waits, what has ended, what it cost, and its worktrees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render

from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.pages import form, page, page_number
from orchestrator_site.web.templatetags.formats import count_of
from tasks.agents import worktrees
from tasks.agents.models import Run
from tasks.agents.places import worktrees_folder
from tasks.agents.selectors import pages
from tasks.agents.selectors.isolation import isolation_of
from tasks.agents.selectors.supervisors import present
from tasks.agents.services import sweep as sweeping
from tasks.identity.page import find_project
from tasks.models import Project


@page
def agents(request: HttpRequest) -> HttpResponse:
    return render(request, "agents/agents.html", _lists(request, None))


@page
def project_agents(request: HttpRequest, slug: str) -> HttpResponse:
    project = find_project(slug)
    is_on, settings = isolation_of(project)
    context = {
        **_lists(request, project),
        "project": project,
        "is_on": is_on,
        "settings": settings,
        "plans": pages.totals_by_plan(project),
    }
    return render(request, "agents/agents.html", context)


def _lists(request: HttpRequest, project: Project | None) -> dict[str, Any]:
    scopes = scopes_of(request.user)
    supervisors = list(present())
    return {
        "working": pages.working(project),
        "queued": pages.queued(project),
        "ended": pages.ended(project, page=page_number(request)),
        "totals": pages.totals(project),
        "supervisors": supervisors,
        "strays": sum(each.facts.get("strays", 0) for each in supervisors),
        "may_act": Scope.WRITE in scopes,
        "may_manage": Scope.ADMIN in scopes,
    }


@form(Scope.WRITE)
def sweep(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Show the worktrees of a project and what a sweep would remove, and sweep."""
    project = find_project(slug)
    if request.method == "POST":
        removed, kept = sweeping.sweep(project)
        left = f" {count_of(kept, 'worktree')} could not be removed." if kept else ""
        messages.success(request, f"Removed {count_of(removed, 'worktree')}. The branches stay.{left}")
        return redirect("worktrees", slug=slug)
    _, settings = isolation_of(project)
    chosen = {size.folder for _, size in sweeping.sweepable(project)}
    rows = _worktrees(project)
    context = {
        "project": project,
        "settings": settings,
        "rows": [(run, size, size.folder in chosen) for run, size in rows],
        "total": sum(size.bytes for _, size in rows),
        "chosen": sum(size.bytes for _, size in rows if size.folder in chosen),
        "number": len(chosen),
    }
    return render(request, "agents/worktrees.html", context)


def _worktrees(project: Project) -> list[tuple[Run, worktrees.Size]]:
    runs = Run.objects.filter(project=project, removed_at=None).exclude(worktree={}).select_related("task")
    by_folder = {Path(run.worktree["folder"]).name: run for run in runs.order_by("id")}
    sizes = worktrees.sizes(worktrees_folder())
    return [(by_folder[name], size) for size in sizes if (name := Path(size.folder).name) in by_folder]
