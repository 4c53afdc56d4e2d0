"""The filters of a list of tasks: read from the address, offered in a form, and shown as chips that remove them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from orchestrator_site.web.pages import text_in
from tasks.choices import Priority, Status
from tasks.due import time_in
from tasks.models import Project, Task
from tasks.selectors.board import Filters, plan_titles, plans_named, specialists_seen

CHOICES: dict[str, dict[str, str]] = {
    "status": dict(Status.choices),
    "kind": {"leaf": "Tasks without subtasks", "plan": "Plans"},
    "priority": {str(level.value): level.label.capitalize() for level in reversed(Priority)},
    "ready": {"1": "to start"},
    "only": {
        "overdue": "overdue",
        "due": "with a due date",
        "estimated": "with an estimate",
        "gated": "with gates",
        "tokens": "with reported tokens",
        "cost": "with a reported cost",
    },
}
_LABELS = {
    "plan": "Plan is",
    "status": "State is",
    "kind": "Kind is",
    "specialist": "Specialist is",
    "holder": "Held by",
    "priority": "Priority is",
    "ready": "Ready",
    "client": "Attempted by",
    "model": "Attempted with",
    "planned_since": "Planned since",
    "claimed_since": "Claimed since",
    "completed_since": "Completed since",
    "attempted_since": "Attempted since",
    "reviewed_since": "Reviewed since",
    "reopened_since": "Reopened since",
    "only": "Only",
}
_FIELDS = ("plan", "status", "specialist", "kind", "holder", "priority", "ready", "group", "only")
"""What the form asks for; it keeps whatever else the address says."""


def filters_in(request: HttpRequest, *names: str) -> Filters:
    given = {name: text_in(request, name) for name in names}
    return Filters(**{name: text for name, text in given.items() if _is_known(name, text)})


def _is_known(name: str, text: str) -> bool:
    if name.endswith("_since"):
        return time_in(text, zone="UTC") is not None
    return text in CHOICES.get(name, (text,))


def tools(request: HttpRequest, project: Project, filters: Filters, *names: str) -> dict[str, Any]:
    """Return what `_tools.html` shows of these filters; `plan` only if its name means a single one."""
    named, titles = plans_named(project, filters.plan), plan_titles(project) if "plan" in names else []
    plan = named[0] if len(named) == 1 else None
    name = plan.title if plan and titles.count(plan.title) <= 1 else filters.plan
    return {
        "project": project,
        "filters": filters,
        "offered": names,
        "choices": CHOICES,
        "specialists": sorted({*specialists_seen(project), filters.specialist} - {""}),
        "plans": dict.fromkeys(titles),
        "plan": plan,
        "plan_name": name,
        "namesakes": named,
        "chips": _chips(filters, plan),
        "kept": _kept(request, "q"),
        "beside": _kept(request, *_FIELDS),
    }


def _kept(request: HttpRequest, *names: str) -> list[tuple[str, Any]]:
    """Return what a form with fields of these names keeps of the address."""
    return [(name, value) for name, value in request.GET.items() if name not in (*names, "page") and value]


def _chips(filters: Filters, plan: Task | None) -> list[tuple[str, str, str]]:
    """Return name, label, and value in words of each filter that is set."""
    words = CHOICES | {"plan": {filters.plan: plan.title} if plan else {}}
    given = [(name, label, getattr(filters, name)) for name, label in _LABELS.items()]
    return [(name, label, words.get(name, {}).get(value, value)) for name, label, value in given if value]
