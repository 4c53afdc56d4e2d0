"""The home page: all projects, what needs attention, and what is in progress."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from artifacts.selectors import home
from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.pages import page, page_number
from tasks.selectors import board


@page
def projects(request: HttpRequest) -> HttpResponse:
    rows = board.projects(page=page_number(request))
    facts = {"rows": rows, "is_owner": Scope.ADMIN in scopes_of(request.user)}
    if not rows.items and rows.page == 1:
        return render(request, "tasks/welcome.html", facts)
    return render(
        request,
        "tasks/home.html",
        {**facts, "glance": home.glance(row.project for row in rows.items), "now": timezone.now()},
    )
