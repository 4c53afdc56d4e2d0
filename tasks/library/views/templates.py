"""The templates of a project or of the site: the list, one of them, and its versions."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from artifacts.reviews.texts import compared
from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.pages import number_in, page
from tasks.library.catalogue import catalogue
from tasks.library.patterns.comparing import ENOUGH
from tasks.library.selectors import pages
from tasks.library.selectors.patterns import success_of
from tasks.library.selectors.templates import versions_of
from tasks.library.views.find import find_place, find_template
from tasks.models import Project

VERSIONS_SHOWN = 50


@page
def library(request: HttpRequest, slug: str = "") -> HttpResponse:
    project = find_place(request, slug)
    found = catalogue(project)
    context = {
        "project": project,
        "rows": pages.listed(found, project),
        "problems": found.problems,
        "broken": pages.broken_rows(found, project),
        **_rights(request, project),
    }
    return render(request, "library/templates.html", context)


@page
def template(request: HttpRequest, name: str, slug: str = "") -> HttpResponse:
    project = find_place(request, slug)
    entry = find_template(project, name)
    plans = pages.plans_of(project, name) if project else []
    context = {
        "project": project,
        "row": pages.Listed(entry, project),
        "template": entry.template,
        "steps": pages.as_written(entry.template.steps),
        "versions": versions_of(project, name)[:VERSIONS_SHOWN],
        "plans": plans,
        "success": success_of(project, name) if project and plans else [],
        "enough": ENOUGH,
        **_rights(request, project),
    }
    return render(request, "library/template.html", context)


@page
def version(request: HttpRequest, name: str, pk: int, slug: str = "") -> HttpResponse:
    project = find_place(request, slug)
    versions = versions_of(project, name).filter(is_deleted=False)
    found = versions.filter(pk=pk).first()
    if found is None:
        raise Http404
    others = list(versions.exclude(pk=pk)[:VERSIONS_SHOWN])
    before = number_in(request, "against", least=0, most=pages.LAST_KEY)
    old = next((each for each in others if each.pk == before or (not before and each.pk < pk)), None)
    facts = {"project": project, "name": name, "version": found, "others": others, "old": old}
    context: dict[str, Any] = {**facts, **_rights(request, project)}
    if old is not None:
        layout = request.GET.get("layout", "")
        context["compared"] = compared(old.text, found.text, name=f"version-{pk}", layout=layout)
    return render(request, "library/version.html", context)


def _rights(request: HttpRequest, project: Project | None) -> dict[str, Any]:
    scopes = scopes_of(request.user)
    return {"may_edit": Scope.ADMIN in scopes, "may_plan": project is not None and Scope.WRITE in scopes}
