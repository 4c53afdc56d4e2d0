"""Files of a project by logical path, and ZIP downloads."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render

from artifacts.export.contents import folder_versions, versions_of
from artifacts.export.filenames import ExportedVersion
from artifacts.export.zip_stream import zip_answer
from artifacts.models import Kind
from artifacts.selectors.tree import PATHLESS, folder_of, summed
from orchestrator_site.kernel.errors import NotFound
from orchestrator_site.web.pages import page
from tasks.identity.page import find_task
from tasks.models import Project

PER_PAGE = 100


@page
def folder(request: HttpRequest, slug: str, path: str = "") -> HttpResponse:
    project = get_object_or_404(Project, slug=slug)
    is_pathless, cursor = _is_pathless(request), request.GET.get("cursor")
    listing = folder_of(project, path, is_pathless=is_pathless, limit=PER_PAGE, cursor=cursor)
    of = {"pathless": "true"} if is_pathless else {}
    context = {
        "project": project,
        "listing": listing,
        "folders": list(summed(project, listing)),
        "kinds": dict(Kind.choices),
        "is_pathless": is_pathless,
        "title": PATHLESS if is_pathless else listing.trail[-1][0] if listing.trail else "Files",
        "pathless_name": PATHLESS,
        "zip_query": urlencode(of or {"path": listing.path}),
        "next_page": urlencode({**of, "cursor": listing.cursor}) if listing.cursor else None,
        "is_first": cursor is None,
    }
    return render(request, "artifacts/tree.html", context)


@page
def folder_zip(request: HttpRequest, slug: str) -> HttpResponseBase:
    project = get_object_or_404(Project, slug=slug)
    versions, name = folder_versions(project, request.GET.get("path", ""), is_pathless=_is_pathless(request))
    return _zip(request, versions, name)


@page
def task_zip(request: HttpRequest, public_id: str) -> HttpResponseBase:
    task = find_task(public_id)
    return _zip(request, versions_of(task, all_versions=request.GET.get("versions") == "all"), task.public_id)


def _zip(request: HttpRequest, versions: list[ExportedVersion], name: str) -> HttpResponseBase:
    if not versions:
        raise NotFound("There are no artifacts to download yet.", next="Try again after a delivery.")
    return zip_answer(request, versions, name)


def _is_pathless(request: HttpRequest) -> bool:
    return request.GET.get("pathless") == "true"
