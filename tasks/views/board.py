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
from tasks.models import Project
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
    made = cards.board_of(found, filters=filters, shown=shown, scopes=scopes_of(request.user), matches=matches)
    context = {
        "project": found,
        "board": made,
        "filters": filters,
        "columns": [(column, _more(request, column), _table(found, filters, column)) for column in made.columns],
        "keys": KEYS,
        "priorities": PRIORITIES,
        "specialists": specialists_seen(found),
        "holders": cards.holders_seen(found),
        "plans": cards.plans_seen(found),
    }
    return render(request, "tasks/board.html", context)


def _more(request: HttpRequest, column: cards.Column) -> str:
    if not column.more:
        return ""
    query = request.GET.copy()
    query[column.status.value] = str(column.more)
    return f"?{query.urlencode()}"


def _table(project: Project, filters: cards.CardFilters, column: cards.Column) -> str:
    given = {name: value for name, value in asdict(filters).items() if value and name in ("q", "specialist", "plan")}
    return reverse("tasks", args=[project.slug], query={"kind": "leaf", "status": column.status.value, **given})
