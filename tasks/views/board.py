"""The board of a project or plan: one column per state."""

from __future__ import annotations

from dataclasses import asdict

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from artifacts.search.service import tasks_found
from artifacts.selectors import cards
from orchestrator_site.kernel.identity import scopes_of
from orchestrator_site.web.pages import number_in, page, text_in
from tasks.choices import Priority, Status
from tasks.identity.page import find_project
from tasks.models import Project, Task
from tasks.selectors.board import specialists_seen

KEYS = (
    ("j", "Next card (also ↓, Enter opens it)"),
    ("k", "Previous card (also ↑)"),
    ("l", "Next column (also →)"),
    ("h", "Previous column (also ←)"),
    ("m", "Open the actions menu"),
)
"""Shortcuts that board.js implements and site.js lists."""
PRIORITIES = {level.value: level.label.capitalize() for level in reversed(Priority)}


@page
def board(request: HttpRequest, slug: str) -> HttpResponse:
    found = find_project(slug)
    texts = {name: text_in(request, name) for name in ("q", "specialist", "plan", "holder")}
    priority = number_in(request, "priority", least=0, most=9)
    known = priority if priority in Priority.values else 0
    filters = cards.CardFilters(**texts, priority=known, ready=bool(request.GET.get("ready")))
    shown = {status: number_in(request, status, least=cards.CARDS, most=cards.MOST_CARDS) for status in Status.values}
    matches = tasks_found(found, filters.q, limit=cards.MATCHES)
    group = text_in(request, "group")
    made = cards.board_of(
        found,
        filters=filters,
        shown=shown,
        scopes=scopes_of(request.user),
        matches=matches,
        opened=text_in(request, "open"),
        group=group if group in cards.GROUPS else "",
    )
    context = {
        "project": found,
        "board": made,
        "filters": filters,
        "columns": [(column, _more(request, column), _table(found, filters, column)) for column in made.columns],
        "keys": KEYS,
        "priorities": PRIORITIES,
        "specialists": specialists_seen(found),
        "holders": cards.holders_seen(found),
        "plans": _plans(found, made.plan),
        "chips": _chips(filters, made.plan),
        "group": group if group in cards.GROUPS else "",
        "kept": [(name, value) for name, value in request.GET.items() if name != "q" and value],
    }
    return render(request, "tasks/board.html", context)


def _plans(project: Project, chosen: Task | None) -> list[tuple[str, str]]:
    known = cards.plans_seen(project)
    if chosen is None or chosen.public_id in dict(known):
        return known
    return [(chosen.public_id, chosen.title), *known]


def _chips(filters: cards.CardFilters, plan: Task | None) -> list[tuple[str, str, str]]:
    """Return what the board is narrowed to: the parameter, what it is about, and its value in words."""
    found = [
        ("plan", "Plan is", plan.title if plan else filters.plan),
        ("specialist", "Specialist is", filters.specialist),
        ("holder", "Held by", filters.holder),
        ("priority", "Priority is", PRIORITIES.get(filters.priority, "")),
        ("ready", "Ready", "to start" if filters.ready else ""),
    ]
    return [chip for chip in found if chip[2]]


def _more(request: HttpRequest, column: cards.Column) -> str:
    if not column.more:
        return ""
    query = request.GET.copy()
    query[column.status.value] = str(column.more)
    return f"?{query.urlencode()}"


def _table(project: Project, filters: cards.CardFilters, column: cards.Column) -> str:
    given = {name: value for name, value in asdict(filters).items() if value and name in ("q", "specialist", "plan")}
    return reverse("tasks", args=[project.slug], query={"kind": "leaf", "status": column.status.value, **given})
