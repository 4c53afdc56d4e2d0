"""Graph, timeline and synthesis of a plan, group or task."""

from __future__ import annotations

from urllib.parse import quote

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import content_disposition_header

from artifacts.reports.markdown import whole
from artifacts.reports.synthesis import PARTS_TO_PRINT, parts_page, synthesis_of
from orchestrator_site.web.pages import number_in, page, page_number, text_in
from tasks.choices import Status
from tasks.graph import svg
from tasks.identity.page import find_task
from tasks.models import Task
from tasks.selectors import graph as graphs
from tasks.selectors import timeline as timelines
from tasks.views.task import verbs_of

BY = {"task": "By task", "worker": "By worker"}
FIT = "fit"
ZOOMS = {FIT: "Fit", "small": "Small", "medium": "Medium", "large": "Large"}
DEPTH = 2


@page
def graph(request: HttpRequest, public_id: str) -> HttpResponse:
    top = find_task(public_id)
    centre = _centre(request, top)
    depth = number_in(request, "depth", least=1, most=graphs.DEPTHS[-1]) if "depth" in request.GET else DEPTH
    only_unfinished = request.GET.get("part") == "open"
    drawn = graphs.near(centre, depth) if centre else graphs.of_plan(top, only_unfinished=only_unfinished)
    vertices = drawn.graph.vertices.values()
    asked = request.GET.get("zoom", "")
    step = svg.STEPS.get(asked) or svg.step_for(len(vertices))
    states = {vertex.status for vertex in vertices}
    context = {
        "task": top,
        "centre": centre,
        "whole": top.root if top.is_leaf else top,
        "depth": depth,
        "depths": graphs.DEPTHS,
        "fits": drawn.total <= graphs.NODES,
        "drawn": drawn,
        "picture": svg.picture(drawn.graph, step, _addresses(), here=centre.pk if centre else None),
        "states": [status for status in Status.values if status in states],
        "zoom": asked if asked in ZOOMS else step.name,
        "zooms": ZOOMS,
        **verbs_of(request, top),
    }
    return render(request, "tasks/graph.html", context)


@page
def timeline(request: HttpRequest, public_id: str) -> HttpResponse:
    found = find_task(public_id)
    by = request.GET.get("by", "")
    by = by if by in BY else "task"
    shown = timelines.of(found, by_worker=by == "worker", page=page_number(request))
    context = {"task": found, "by": by, "ways": BY, "timeline": shown, "most": timelines.EVENTS}
    context |= verbs_of(request, found)
    return render(request, "tasks/timeline.html", context)


@page
def synthesis(request: HttpRequest, public_id: str) -> HttpResponse:
    found = find_task(public_id)
    context = {
        "task": found,
        "report": parts_page(found, page=page_number(request), to_print=request.GET.get("parts") == "all"),
        "to_print": PARTS_TO_PRINT,
        **verbs_of(request, found),
    }
    return render(request, "tasks/synthesis.html", context)


@page
def synthesis_markdown(request: HttpRequest, public_id: str) -> HttpResponse:
    found = find_task(public_id)
    name = content_disposition_header(True, f"{found.public_id}.md") or "attachment"
    headers = {"Content-Disposition": name, "X-Content-Type-Options": "nosniff"}
    return HttpResponse(whole(synthesis_of(found)), content_type="text/markdown; charset=utf-8", headers=headers)


def _centre(request: HttpRequest, top: Task) -> Task | None:
    around = text_in(request, "around")
    if not around or around == top.public_id:
        return top if top.is_leaf else None
    found = find_task(around)
    if found.project_id != top.project_id:
        raise Http404
    return found


def _addresses() -> svg.Address:
    """Map ids to URLs; `reverse` for each of a thousand tasks would take longer than drawing them."""
    before, _, after = reverse("task", args=["-"]).rpartition("-")
    return lambda public_id: f"{before}{quote(public_id, safe='')}{after}"
