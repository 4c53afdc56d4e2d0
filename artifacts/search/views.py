"""The page of search."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from artifacts.models import Kind
from artifacts.search.search import Found, search
from tasks.errors import Invalid
from tasks.models import Project
from tasks.views.page import SEARCH_CHARACTERS, page

KINDS = {"task": "Tasks", "artifact": "All delivered work", **dict(Kind.choices)}
PER_PAGE = 20
NOTHING = Found([], 0)


@page
def search_page(request: HttpRequest) -> HttpResponse:
    query = request.GET.get("q", "").replace("\x00", "").strip()[:SEARCH_CHARACTERS]
    slug, kind = request.GET.get("project", "").replace("\x00", ""), request.GET.get("kind", "")
    project = Project.objects.filter(slug=slug).first() if slug else None
    kinds = [kind] if kind in KINDS else []
    found = NOTHING
    if query and (project or not slug):
        found = _found(query, project, kinds, request.GET.get("cursor"))
    context = {
        "query": query,
        "project": project,
        "slug": slug,
        "kind": kind if kinds else "",
        "kinds": KINDS,
        "found": found,
        "next_page": _address(request, found.cursor_after(len(found.hits))),
        "first_page": _address(request, "") if "cursor" in request.GET else None,
    }
    return render(request, "artifacts/search.html", context)


def _address(request: HttpRequest, cursor: str | None) -> str | None:
    """Return the query of the same search at another place."""
    if cursor is None:
        return None
    asked = request.GET.copy()
    asked["cursor"] = cursor
    if not cursor:
        del asked["cursor"]
    return asked.urlencode()


def _found(query: str, project: Project | None, kinds: list[str], cursor: str | None) -> Found:
    """Search; an address whose cursor is none, or of another search, shows the first page."""
    try:
        return search(query, project=project, kinds=kinds, limit=PER_PAGE, cursor=cursor)
    except Invalid:
        if cursor is None:
            raise
    return search(query, project=project, kinds=kinds, limit=PER_PAGE)
