"""What the address of a page of the library names."""

from __future__ import annotations

from django.http import Http404, HttpRequest

from orchestrator_site.kernel.identity import Scope
from orchestrator_site.web.pages import require
from tasks.identity.page import find_project
from tasks.library.catalogue import Entry, catalogue
from tasks.models import Project


def find_place(request: HttpRequest, slug: str) -> Project | None:
    """Return the project, or None for the templates of the site, which administrators see."""
    if slug:
        return find_project(slug)
    require(request, Scope.ADMIN)
    return None


def find_template(project: Project | None, name: str) -> Entry:
    entry = catalogue(project).templates.get(name)
    if entry is None:
        raise Http404
    return entry
