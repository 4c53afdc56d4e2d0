"""The board of a project or plan: one column per state."""

from __future__ import annotations

from dataclasses import asdict

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from artifacts.search.service import tasks_found
from artifacts.selectors import cards
from maintenance.selectors.open_findings import marks
from orchestrator_site.kernel.identity import scopes_of
from orchestrator_site.web.pages import number_in, page, text_in
from tasks.choices import Status
from tasks.identity.page import find_project
from tasks.models import Project
from tasks.selectors.board import Filters
from tasks.views.filters import filters_in, tools

KEYS = (
    ("j", "Next card (also ↓, Enter opens it)"),
    ("k", "Previous card (also ↑)"),
    ("l", "Next column (also →)"),
    ("h", "Previous column (also ←)"),
    ("m", "Open the actions menu"),
)
"""Shortcuts that board.js implements and site.js lists."""
FILTERS = ("plan", "specialist", "holder", "priority", "ready")


@page
def board(request: HttpRequest, slug: str) -> HttpResponse:
    found = find_project(slug)
    filters = filters_in(request, "q", *FILTERS)
    shown = {status: number_in(request, status, least=cards.CARDS, most=cards.MOST_CARDS) for status in Status.values}
    opened, group = text_in(request, "open"), text_in(request, "group")
    facts = tools(request, found, filters, *FILTERS)
    made = cards.board_of(
        found,
        filters=filters,
        plan=facts["plan"],
        shown=shown,
        scopes=scopes_of(request.user),
        matches=tasks_found(found, filters.q, limit=cards.MATCHES),
        opened=opened if opened in Status.values else "",
    )
    shown_cards = {card.task.pk: card for column in made.columns for card in column.cards}
    for key, words in marks(shown_cards).items():
        shown_cards[key].finding = words
    facts |= {
        "board": made,
        "columns": [(column, _table(found, filters, column)) for column in made.columns],
        "lanes": made.lanes(group) if group in cards.GROUPS else None,
        "names_plans": group != "plan" and made.has_several_plans,
        "keys": KEYS,
        "holders": cards.holders_seen(found),
        "group": group,
    }
    return render(request, "tasks/board.html", facts)


def _table(project: Project, filters: Filters, column: cards.Column) -> str:
    given = {name: value for name, value in asdict(filters).items() if value and name in ("q", "specialist", "plan")}
    return reverse("tasks", args=[project.slug], query={"kind": "leaf", "status": column.status.value, **given})
