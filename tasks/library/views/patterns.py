"""Finished plans as patterns: templates drafted from them, how plans of each template went, and what drifted."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render

from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.pages import form, page
from tasks.identity.page import find_project
from tasks.library.patterns.comparing import ENOUGH
from tasks.library.selectors.patterns import analysis, draft_of
from tasks.library.views.edit import Draft, new, show_form
from tasks.models import Task


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
def draft(request: HttpRequest, slug: str, public_id: str) -> HttpResponseBase:
    """Show the form of a new template, with what is drafted from a finished plan."""
    if request.method == "POST":
        return new(request, slug=slug)
    project = find_project(slug)
    plan = get_object_or_404(Task.objects.select_related("project"), public_id=public_id, project=project)
    return show_form(request, project, Draft(draft_of(plan).text, plan=plan.public_id))
