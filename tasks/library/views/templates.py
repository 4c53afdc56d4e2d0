"""The templates of a project: the list."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from orchestrator_site.web.pages import page
from tasks.identity.page import find_project


@page
def library(request: HttpRequest, slug: str) -> HttpResponse:
    return render(request, "library/templates.html", {"project": find_project(slug)})
