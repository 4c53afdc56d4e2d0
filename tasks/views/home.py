"""The home page: every project at a glance."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from tasks.queries import board
from tasks.views.page import page, page_number


@page
def projects(request: HttpRequest) -> HttpResponse:
    rows = board.projects(page=page_number(request))
    return render(request, "tasks/projects.html", {"rows": rows})
