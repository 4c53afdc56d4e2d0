"""The search page: full text of tasks and artifacts, names of everything else, and ids."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from artifacts.models import Kind
from artifacts.search import lookup
from artifacts.search.lookup import Named
from artifacts.search.service import Found, search
from orchestrator_site.kernel.errors import Invalid
from orchestrator_site.web.pages import page, text_in
from tasks.models import Project

FULL_TEXT_KINDS = {"task": "Tasks", "artifact": "All artifacts", **dict(Kind.choices)}
KINDS = {**FULL_TEXT_KINDS, **lookup.KINDS}
PER_PAGE = 20
SUGGESTED = 100
NOTHING = Found([], 0)


@page
def search_page(request: HttpRequest) -> HttpResponse:
    query, slug, kind = text_in(request, "q"), text_in(request, "project"), text_in(request, "kind")
    kind = kind if kind in KINDS else ""
    project = Project.objects.filter(slug=slug).first() if slug else None
    found, names = NOTHING, Named()
    if (exact := lookup.by_id(query, project)) and (project or not slug):
        return redirect(type(exact).__name__.lower(), exact.public_id)
    if query and (project or not slug):
        found = _found(query, project, kind, request.GET.get("cursor")) if kind not in lookup.KINDS else NOTHING
        if "cursor" not in request.GET and kind not in FULL_TEXT_KINDS:
            names = lookup.named(query, project=project, kind=kind)
    context = {
        "query": query,
        "within": project,
        "slug": slug,
        "kind": kind,
        "kinds": KINDS,
        "slugs": Project.objects.order_by("slug").values_list("slug", flat=True)[:SUGGESTED],
        "found": found,
        "named": names,
        "anything": bool(found.hits or names.total),
        "next_page": _address(request, found.cursor_after(len(found.hits))),
        "first_page": _address(request, "") if "cursor" in request.GET else None,
        "links": {name: _address(request, "", kind=name) for name in lookup.KINDS},
    }
    return render(request, "artifacts/search.html", context)


def _address(request: HttpRequest, cursor: str | None, **changed: str) -> str | None:
    if cursor is None:
        return None
    asked = request.GET.copy()
    asked["cursor"] = cursor
    if not cursor:
        del asked["cursor"]
    for name, value in changed.items():
        asked[name] = value
    return asked.urlencode()


def _found(query: str, project: Project | None, kind: str, cursor: str | None) -> Found:
    kinds = [kind] if kind else []
    try:
        return search(query, project=project, kinds=kinds, limit=PER_PAGE, cursor=cursor)
    except Invalid:
        if cursor is None:
            raise
    return search(query, project=project, kinds=kinds, limit=PER_PAGE)
