"""The archive of a project, and what is left of purged plans."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from artifacts.search.service import tasks_found
from maintenance.selectors import archived
from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.pages import page, page_number, text_in
from tasks.identity.page import find_project


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
    context |= {"may_act": Scope.WRITE in scopes, "may_manage": Scope.ADMIN in scopes}
    return render(request, "maintenance/archive.html", context)
