"""The address that loads the sample project and leads on to the home page."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from orchestrator_site.sample.load import load_sample
from tasks.principals import Scope
from tasks.views.page import actor_of, deed


@deed(Scope.ADMIN)
def sample(request: HttpRequest) -> HttpResponse:
    """Load the sample project; where it is there already, nothing changes."""
    project = load_sample(actor=actor_of(request))
    messages.success(
        request, f"“{project.name}” is here. Nothing in it is yours: approve, cancel and break what you like."
    )
    return redirect("projects")
