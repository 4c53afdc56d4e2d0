"""The handovers of a project: the list, each with its difference from any other, and a new one."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render

from artifacts.reviews.texts import compared
from maintenance.choices import Level
from maintenance.models import Handover
from maintenance.selectors import scope
from maintenance.selectors.handovers import handover_by_number, handovers, latest, moved_since
from maintenance.services.handover import KEPT, prepare
from orchestrator_site.kernel.errors import NotFound
from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.pages import action_view, number_in, page
from tasks.identity.page import actor_of, find_project
from tasks.models import Project
from tasks.project_settings import OFF, setting

LAST_NUMBER = 2**31 - 1


@page
def index(request: HttpRequest, slug: str) -> HttpResponse:
    project = find_project(slug)
    newest, scopes = latest(project), scopes_of(request.user)
    is_off = setting(project, "handover.prepare") == OFF
    context = {
        "project": project,
        "handovers": list(handovers(project)[:KEPT]),
        "kept": KEPT,
        "moved": moved_since(newest) if newest else 0,
        "levels": Level.choices,
        "is_off": is_off,
        "may_prepare": Scope.WRITE in scopes and not is_off,
        "may_manage": Scope.ADMIN in scopes,
    }
    return render(request, "maintenance/handovers.html", context)


@page
def handover(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    project = find_project(slug)
    found = _find(project, number)
    numbers = list(handovers(project).values_list("number", flat=True)[:KEPT])
    context = {"project": project, "handover": found, "numbers": numbers, "moved": moved_since(found)}
    if against := number_in(request, "against", least=0, most=LAST_NUMBER):
        old, layout = _find(project, against), request.GET.get("layout", "")
        texts = compared(old.text, found.text, name=f"handover-{number}", layout=layout)
        context |= {"old": old, "compared": texts, "layout": texts.layout}
    return render(request, "maintenance/handover.html", context)


@action_view(Scope.WRITE)
def prepare_one(request: HttpRequest, slug: str) -> HttpResponseBase:
    project = find_project(slug)
    word = request.POST.get("level", "")
    level = Level(word) if word in Level.values else Level.BASIC
    newest = latest(project)
    made = prepare(scope=scope.of_project(project), actor=actor_of(request), level=level)
    is_new = newest is None or made.number > newest.number
    messages.success(request, f"Handover {made.number} is ready." if is_new else "Nothing has changed since this one.")
    return redirect("handover", slug, made.number)


def _find(project: Project, number: int) -> Handover:
    try:
        return handover_by_number(project, number)
    except NotFound as error:
        raise Http404 from error
