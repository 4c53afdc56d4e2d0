"""The archive of a project, and what is left of purged plans."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render

from artifacts.search.service import tasks_found
from maintenance.selectors import archived
from maintenance.services.import_plan import import_plan
from maintenance.services.purge import export_of
from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.pages import action_view, page, page_number, text_in
from tasks.identity.page import actor_of, find_project
from tasks.project_settings import OFF, setting


@page
def archive(request: HttpRequest, slug: str) -> HttpResponse:
    project = find_project(slug)
    q, number = text_in(request, "q"), page_number(request)
    shows_purged = request.GET.get("show") == "purged"
    context = {"project": project, "q": q, "shows_purged": shows_purged, "next": request.get_full_path()}
    if shows_purged:
        context["rows"] = archived.tombstones(project, q=q, page=number)
    else:
        context["rows"] = archived.listed(project, q=q, matches=tasks_found(project, q), page=number)
    scopes = scopes_of(request.user)
    may_purge = setting(project, "maintenance.purge") != OFF
    context |= {"may_act": Scope.WRITE in scopes, "may_manage": Scope.ADMIN in scopes, "may_purge": may_purge}
    return render(request, "maintenance/archive.html", context)


@action_view(Scope.ADMIN)
def import_purged(request: HttpRequest, slug: str, task_id: str) -> HttpResponseBase:
    project = find_project(slug)
    plan = import_plan(project=project, export=export_of(project, task_id), actor=actor_of(request))
    messages.success(request, f"Imported “{plan.title}” into the archive. Restore it to use it again.")
    return redirect("archive", slug=slug)
