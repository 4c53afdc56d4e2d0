"""The addresses that load the sample project and take it away again; both lead on to the home page."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render

from orchestrator_site.kernel.identity import Scope
from orchestrator_site.sample.load import load_sample, sample_project
from orchestrator_site.sample.remove import remove_sample
from orchestrator_site.web.pages import deed, form
from tasks.identity.page import actor_of


@deed(Scope.ADMIN)
def sample(request: HttpRequest) -> HttpResponse:
    """Load the sample project; where it is there already, nothing changes."""
    project = load_sample(actor=actor_of(request))
    messages.success(
        request, f"“{project.name}” is here. Nothing in it is yours: approve, cancel and break what you like."
    )
    return redirect("projects")


@form(Scope.ADMIN)
def remove(request: HttpRequest) -> HttpResponseBase:
    """Ask whether to remove the sample project, saying what goes with it, and remove it."""
    if request.method != "POST":
        return render(request, "tasks/sample_remove.html", {"project": sample_project()})
    was_here = remove_sample(actor=actor_of(request), seen=request.POST.get("seen", ""))
    messages.success(request, "The sample project is gone." if was_here else "The sample project was gone already.")
    return redirect("projects")
