"""The home page, and the overview and task table of a project."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from artifacts.search.service import tasks_found
from artifacts.selectors import cards, home
from artifacts.selectors.artifacts import recent_artifacts
from maintenance.selectors.open_findings import serious
from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.pages import page, page_number, text_in
from tasks.agents.selectors.pages import open_asks
from tasks.choices import WAITS_FOR_A_PERSON, Status
from tasks.identity.page import find_project
from tasks.selectors import board
from tasks.selectors.next_task import first_of_project
from tasks.selectors.rows import count_by
from tasks.views.filters import filters_in, tools

FINDINGS, ASKS = "findings", "asks"
"""The parts of the inbox that are not about tasks which wait."""
TABLE_FILTERS = ("plan", "kind", "only", *board.LOOKUPS, *board.LOOKUPS_OF_ATTEMPTS, *board.VERDICTS)


@page
def projects(request: HttpRequest) -> HttpResponse:
    rows = board.projects(page=page_number(request))
    facts = {"rows": rows, "is_owner": Scope.ADMIN in scopes_of(request.user)}
    if not rows.items and rows.page == 1:
        return render(request, "tasks/welcome.html", facts)
    show = text_in(request, "show")
    show = show if show in (*WAITS_FOR_A_PERSON, FINDINGS, ASKS) else ""
    found, asks = serious(), open_asks()
    glance = home.glance((row.project for row in rows.items), show=show, others=len(found) + len(asks))
    facts["findings"] = found if show == FINDINGS else [] if show else found[: home.WAITING_ROWS]
    facts |= {"asks": asks if show in ("", ASKS) else [], "number_of_asks": len(asks), "number_of_findings": len(found)}
    facts["may_decide"] = Scope.REVIEW in scopes_of(request.user)
    acts = cards.with_offers((task for panel in glance.waiting for task in panel.tasks), scopes_of(request.user))
    return render(request, "tasks/home.html", {**facts, "glance": glance, "acts": acts, "now": timezone.now()})


@page
def project_list(request: HttpRequest) -> HttpResponse:
    return render(request, "tasks/projects.html", {"rows": board.projects(page=page_number(request))})


@page
def project(request: HttpRequest, slug: str) -> HttpResponse:
    found = find_project(slug)
    filters = filters_in(request, "q", "status", "specialist")
    rows = board.plans(found, filters=filters, page=page_number(request), matches=tasks_found(found, filters.q))
    counts, waiting = count_by("project_id", [found.pk])[found.pk], board.waiting(found)
    moving = cards.moving(found) if Status.ACTIVE in counts.by_status else []
    context = {
        **tools(request, found, filters, "status", "specialist"),
        "rows": rows,
        "counts": counts,
        "moving": moving,
        "next_ready": None if moving else first_of_project(found.pk, None),
        "waiting": waiting,
        "now": timezone.now(),
        "acts": cards.with_offers([*(row.task for row in rows.items), *waiting, *moving], scopes_of(request.user)),
        "artifacts": recent_artifacts(found, limit=board.PANEL_ROWS),
    }
    return render(request, "tasks/project.html", context)


@page
def tasks(request: HttpRequest, slug: str) -> HttpResponse:
    found = find_project(slug)
    filters = filters_in(request, "q", *TABLE_FILTERS)
    facts = tools(request, found, filters, *TABLE_FILTERS)
    matches = tasks_found(found, filters.q)
    rows = board.tasks(found, filters=filters, plan=facts["plan"], page=page_number(request), matches=matches)
    facts |= {"rows": rows, "acts": cards.with_offers(rows.items, scopes_of(request.user))}
    return render(request, "tasks/tasks.html", facts)
