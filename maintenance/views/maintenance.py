"""The maintenance page of a project: findings, runs, automatic actions, storage, schedules and upgrades."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone

from maintenance import schedules
from maintenance.health.selectors import check_worker
from maintenance.models import Finding
from maintenance.scheduled import schedules as all_schedules
from maintenance.selectors import open_findings, runs
from maintenance.selectors.storage import storage_of
from maintenance.services.findings import snooze as snooze_finding
from maintenance.upgrades.backups import backups
from maintenance.upgrades.history import history
from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.pages import action_view, came_from, number_in, page, page_number
from tasks.identity.page import actor_of, find_project
from tasks.project_settings import setting
from tasks.project_settings.schema import NAMED

UPGRADES_SHOWN = 5
SWITCHES = ("maintenance.archive", "maintenance.purge", "handover.prepare", "maintenance.status_documents")
SNOOZES = {1: "1 day", 7: "1 week"}
"""For how many days a finding may be snoozed."""


@page
def maintenance(request: HttpRequest, slug: str) -> HttpResponse:
    project = find_project(slug)
    scopes = scopes_of(request.user)
    state = request.GET.get("show", "")
    state = state if state in open_findings.STATES else open_findings.STATES[0]
    context = {
        "project": project,
        "health": open_findings.health(project),
        "state": state,
        "states": [(each, open_findings.count_open(project, each)) for each in ("open", "snoozed")],
        "findings": open_findings.listed(project, state, page=page_number(request)),
        "runs": runs.listed(project, page=number_in(request, "runs", least=1, most=1_000)),
        "switches": [(NAMED[name], setting(project, name)) for name in SWITCHES],
        "storage": storage_of(project),
        "snoozes": SNOOZES,
        "now": timezone.now(),
        "may_act": Scope.WRITE in scopes,
        "may_manage": Scope.ADMIN in scopes,
        "next": request.get_full_path(),
    }
    if Scope.ADMIN in scopes:
        context |= {"schedules": all_schedules(), "worker": check_worker(timezone.now())}
        context |= {"upgrades": history(connection, UPGRADES_SHOWN), "backups": backups()}
    return render(request, "maintenance/maintenance.html", context)


@page
def settings(request: HttpRequest, slug: str) -> HttpResponse:
    """Lead to the section of the project's settings."""
    return redirect(f"{reverse('project-settings', args=[find_project(slug).slug])}#maintenance")


@action_view(Scope.WRITE)
def snooze(request: HttpRequest, slug: str, finding_id: int) -> HttpResponseBase:
    """Hide a finding for some days, or show it again for 0."""
    project = find_project(slug)
    finding = get_object_or_404(Finding.objects.filter(project=project), pk=finding_id)
    days = request.POST.get("days", "")
    if days not in map(str, (0, *SNOOZES)):
        raise Http404
    until = timezone.now() + timedelta(days=int(days)) if int(days) else None
    snooze_finding(finding=finding, until=until, actor=actor_of(request))
    messages.success(request, f"Snoozed for {SNOOZES[int(days)]}." if until else "Shown among the open findings.")
    return came_from(request, reverse("maintenance", args=[slug]))


@action_view(Scope.ADMIN)
def run_schedule(request: HttpRequest, slug: str, name: str) -> HttpResponseBase:
    find_project(slug)
    schedules.run_soon(name)
    messages.success(request, f"Queued {name.replace('_', ' ')}. It runs as soon as a worker is free.")
    return came_from(request, reverse("maintenance", args=[slug]))
