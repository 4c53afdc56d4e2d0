"""Load and remove the sample project; both redirect to the home page."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render

from orchestrator_site.kernel.identity import Scope
from orchestrator_site.sample.load import load_sample, remove_sample, sample_project
from orchestrator_site.web.pages import action_view, form
from tasks.identity.page import actor_of


@action_view(Scope.ADMIN)
def sample(request: HttpRequest) -> HttpResponse:
    load_sample(actor=actor_of(request))
    messages.success(request, "Sample project loaded. It is only demo data, so experiment freely.")
    return redirect("projects")


@form(Scope.ADMIN)
def remove(request: HttpRequest) -> HttpResponseBase:
    if request.method != "POST":
        return render(request, "tasks/sample_remove.html", {"project": sample_project()})
    is_removed = remove_sample(actor=actor_of(request), seen=request.POST.get("seen", ""))
    messages.success(
        request, "Sample project removed." if is_removed else "The sample project had already been removed."
    )
    return redirect("projects")
