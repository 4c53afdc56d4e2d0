"""What maintenance does by itself in a project, and its limits."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone

from maintenance.selectors.archivable import AFTER_DAYS
from maintenance.selectors.purgeable import COMPLETED_DAYS, OTHER_DAYS, purgeable
from maintenance.selectors.scope import of_project
from maintenance.selectors.thresholds import HOURS
from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import Conflict, Invalid, ServerFault, Stale
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.web.pages import form
from tasks import roles
from tasks.identity.page import actor_of, find_project
from tasks.models import Project
from tasks.services.edit_project import edit_project
from tasks.validators import DAYS_LIMIT, HOURS_LIMIT, RETENTION_REASONS, SWITCHES

OTHERS = "default"
"""The limit of specialists that have none of their own."""
_SWITCHES = {
    "archive": (
        "Archive finished plans",
        "Takes plans off the board after the days that are set. They can be restored.",
    ),
    "purge": (
        "Purge the archive",
        "Each day exports the plans that are due, then deletes them. They can be imported again.",
    ),
    "handover": ("Prepare handovers", "Keeps a current handover for the next session."),
    "status_documents": (
        "Update status documents",
        "Keeps the files in .task_orchestrator/status/ current.",
    ),
}
_REASONS = {
    "completed": "Completed", "failed": "Failed", "stale": "Stale", "abandoned": "Abandoned", "orphaned": "Orphaned"
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Switch:
    name: str
    label: str
    hint: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class Limit:
    """A number of the form; where it is empty, the default holds."""

    name: str
    label: str
    value: str
    default: float


def automatic(project: Project) -> list[Switch]:
    chosen = _kept(project).get("automatic", [])
    return [Switch(name, *_SWITCHES[name], name in chosen) for name in SWITCHES]


@form(Scope.ADMIN)
def settings(request: HttpRequest, slug: str) -> HttpResponseBase:
    project = find_project(slug)
    if request.method != "POST":
        return _form(request, project, _kept(project))
    typed = _typed(request, project)
    try:
        with db_errors_mapped("maintenance settings on a page"):
            _save(request, project, typed)
    except (Conflict, Invalid, ServerFault) as error:
        if isinstance(error, Stale):
            project.refresh_from_db()
        return _form(request, project, typed, error)
    messages.success(request, "Settings saved.")
    return redirect("maintenance", slug=slug)


def _kept(project: Project) -> dict[str, Any]:
    kept = project.settings.get("maintenance", {})
    return kept if isinstance(kept, dict) else {}


def _specialists(project: Project) -> list[str]:
    known = _kept(project).get("stale_hours", {})
    return [*sorted({*roles.catalogue(project).roles, *known} - {OTHERS}), OTHERS]


def _typed(request: HttpRequest, project: Project) -> dict[str, Any]:
    """Return the settings as the form has them, without what was left empty."""
    found: dict[str, Any] = {
        "automatic": [name for name in SWITCHES if name in request.POST.getlist("automatic")],
        "stale_hours": _numbers(request, "stale_hours", _specialists(project)),
        "archive_after_days": _numbers(request, "archive_after_days", RETENTION_REASONS),
        **{name: _number(request.POST.get(name, "")) for name in ("purge_after_days", "handover_chars")},
    }
    return {name: value for name, value in found.items() if value not in (None, {}, [])}


def _numbers(request: HttpRequest, name: str, keys: Any) -> dict[str, Any]:
    sent = {key: _number(request.POST.get(f"{name}.{key}", "")) for key in keys}
    return {key: value for key, value in sent.items() if value is not None}


def _number(text: str) -> int | float | str | None:
    text = text.strip()
    try:
        return (int(text) if text.isdecimal() else float(text)) if text else None
    except ValueError:
        return text  # the service says what is wrong with it


def _save(request: HttpRequest, project: Project, typed: dict[str, Any]) -> None:
    seen = request.POST.get("seen", "")

    def require_unchanged(now: Project) -> None:
        if _fingerprint(now) != seen:
            raise Stale("Someone else changed these settings while this form was open.")

    others = {name: value for name, value in project.settings.items() if name != "maintenance"}
    settings = others | ({"maintenance": typed} if typed else {})
    if settings != project.settings or _fingerprint(project) != seen:
        columns = {"settings": settings} if settings != project.settings else {}
        edit_project(project=project, actor=actor_of(request), columns=columns, guard=require_unchanged)


def _fingerprint(project: Project) -> str:
    return hashlib.sha256(json.dumps(project.settings, sort_keys=True).encode()).hexdigest()[:32]


def _form(
    request: HttpRequest,
    project: Project,
    values: dict[str, Any],
    error: Conflict | Invalid | ServerFault | None = None,
) -> HttpResponse:
    is_stale = isinstance(error, Stale)
    chosen = values.get("automatic", [])
    context = {
        "project": project,
        "switches": [Switch(name, *_SWITCHES[name], name in chosen) for name in SWITCHES],
        "hours": [_hours(each, values) for each in _specialists(project)],
        "days": [_days(each, values) for each in RETENTION_REASONS],
        "values": values,
        "error": error,
        "is_stale": is_stale,
        "now": _kept(project) if is_stale else None,
        "seen": "" if error is None or is_stale else request.POST.get("seen", ""),
        "hours_limit": HOURS_LIMIT,
        "days_limit": DAYS_LIMIT,
        "purge_days": (COMPLETED_DAYS, OTHER_DAYS),
        "due": len(purgeable(of_project(project), timezone.now())),
    }
    context["seen"] = context["seen"] or _fingerprint(project)
    return render(request, "maintenance/settings.html", context, status=error.status if error else 200)


def _hours(name: str, values: dict[str, Any]) -> Limit:
    value = values.get("stale_hours", {}).get(name, "")
    label = "All others" if name == OTHERS else name.capitalize()
    return Limit(f"stale_hours.{name}", label, str(value), HOURS.get(name, HOURS[OTHERS]))


def _days(reason: str, values: dict[str, Any]) -> Limit:
    value = values.get("archive_after_days", {}).get(reason, "")
    return Limit(f"archive_after_days.{reason}", _REASONS[reason], str(value), AFTER_DAYS[reason])
