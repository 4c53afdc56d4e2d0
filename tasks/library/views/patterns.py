"""Finished plans as patterns: templates drafted from them, how plans of each template went, and what drifted."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.pages import form, page
from tasks.identity.page import find_project, find_task
from tasks.library.patterns.comparing import ENOUGH
from tasks.library.selectors.patterns import analysis, draft_of
from tasks.library.views.edit import Draft, new, show_form


@page
def patterns(request: HttpRequest, slug: str) -> HttpResponse:
    project = find_project(slug)
    context = {
        "project": project,
        "found": analysis(project),
        "enough": ENOUGH,
        "may_save": Scope.ADMIN in scopes_of(request.user),
    }
    return render(request, "library/patterns.html", context)


@form(Scope.ADMIN)
def draft(request: HttpRequest, slug: str, plan_id: str) -> HttpResponseBase:
    """Show the form of a new template, with what is drafted from a finished plan."""
    if request.method == "POST":
        return new(request, slug=slug)
    plan = find_task(plan_id)
    if plan.project.slug != slug:
        raise Http404
    return show_form(request, plan.project, Draft(draft_of(plan).text, plan=plan.public_id))
