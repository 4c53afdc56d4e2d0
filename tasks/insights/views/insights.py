"""The insights of a project: its figures, by a dimension too, its flow, and how suggestions turned out."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render

from maintenance import schedules
from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.pages import action_view, page, text_in
from tasks.identity.page import find_project
from tasks.insights.choices import Dimension, Name
from tasks.insights.selectors import page as query
from tasks.insights.selectors.figures import ENOUGH, figures_of, uncounted
from tasks.insights.selectors.flow import flow_of
from tasks.insights.selectors.suggested import SHOWN, measured
from tasks.insights.selectors.workload import workload_of
from tasks.insights.services.figures import count_figures
from tasks.insights.wording import MEANINGS
from tasks.project_settings import setting

JOB = "count_figures"
LARGE = 5_000
"""Unfinished tasks beyond which those of each specialist are not counted on the page."""


@page
def insights(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the figures of the project, or by what `by` names."""
    project = find_project(slug)
    scopes = scopes_of(request.user)
    by = text_in(request, "by")
    dimension = Dimension(by) if by in query.DIMENSIONS else Dimension.PROJECT
    figures = figures_of(project)
    context: dict[str, Any] = {
        "project": project,
        "by": dimension,
        "dimensions": [(each.value, each.label) for each in (Dimension.PROJECT, *query.DIMENSIONS)],
        "enough": ENOUGH,
        "meanings": [(name, MEANINGS[name]) for name in Name],
        "figures": figures,
        "uncounted": uncounted(project, figures),
        "may_act": Scope.WRITE in scopes,
        "may_manage": Scope.ADMIN in scopes,
    }
    if dimension == Dimension.PROJECT:
        flow, groups = flow_of(project), query.groups(project, figures)
        context |= {"groups": groups, "flow": flow, "is_large": flow.unfinished > LARGE}
        context["has_trend"] = any(len(row.trend) > 1 for rows in groups.values() for row in rows)
        if not context["is_large"]:
            context["workload"] = workload_of(project, figures)
        if setting(project, "routing.suggest") != "off":
            context["turned"] = measured(project, newest=SHOWN)
    else:
        context |= {"tables": query.tables(project, figures, dimension), "most_shown": query.KEYS_SHOWN}
    return render(request, "insights/insights.html", context)


@action_view(Scope.WRITE)
def count_again(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Count the figures of today again: by a worker, or at once where the project has no daily ones."""
    project = find_project(slug)
    if setting(project, "metrics.daily") == "act":
        schedules.run_soon(JOB)
        messages.success(request, "Queued. The figures change as soon as a worker has counted.")
    else:
        count_figures(project=project)
        messages.success(request, "Counted again.")
    return redirect("insights", slug=slug)
