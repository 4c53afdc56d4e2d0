"""Project settings."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from django.conf import settings as site
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render

from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import Conflict, Invalid, ServerFault, Stale
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.web.field_errors import errors_by_field
from orchestrator_site.web.pages import form
from tasks.identity.page import actor_of, find_project
from tasks.models import Project
from tasks.services.edit_project import NAME_LIMIT, edit_project
from tasks.services.project_folders import paths_of
from tasks.services.projects import folder
from tasks.validators import LEASE_MINUTES_LIMIT, SETTINGS

FIELDS = ("lease_minutes", "review", "self_approval", "mirror", "time_zone", "gates")
"""The settings of this form. Those of maintenance have a page of their own."""
MIRROR_FOLDER = Path(".task_orchestrator") / "artifacts"
Values = dict[str, Any]


@form(Scope.ADMIN)
def settings(request: HttpRequest, slug: str) -> HttpResponseBase:
    found = find_project(slug)
    if request.method != "POST":
        return _form(request, found, _values_of(found))
    typed = {
        "name": request.POST.get("name", "").strip(),
        "lease_minutes": request.POST.get("lease_minutes", "").strip(),
        "review": "review" in request.POST,
        "self_approval": "self_approval" in request.POST,
        "mirror": "mirror" in request.POST,
        "time_zone": request.POST.get("time_zone", found.settings.get("time_zone", "")).strip(),
        "gates": request.POST.get("gates", _json(found.settings.get("gates"))).replace("\r\n", "\n").strip(),
        "root_path": request.POST.get("root_path", found.root_path).strip(),
        "paths": _lines(request.POST.get("paths", "\n".join(paths_of(found)))),
    }
    try:
        with db_errors_mapped("settings on a page"):
            has_changed = _save(request, found, typed)
    except (Conflict, Invalid, ServerFault) as error:
        if isinstance(error, Stale):
            found.refresh_from_db()
        return _form(request, found, typed, error)
    messages.success(request, "Settings saved." if has_changed else "No changes to save.")
    return redirect("project-settings", slug=slug)


def _values_of(project: Project) -> Values:
    kept = project.settings
    minutes = kept.get("lease_minutes")
    return {
        "name": project.name,
        "lease_minutes": "" if minutes is None else str(minutes),
        "review": bool(kept.get("review")),
        "self_approval": bool(kept.get("self_approval")),
        "mirror": bool(kept.get("mirror")),
        "time_zone": kept.get("time_zone", ""),
        "gates": _json(kept.get("gates")),
        "root_path": project.root_path,
        "paths": paths_of(project),
    }


def _lines(text: str) -> list[str]:
    return sorted(filter(None, map(str.strip, text.splitlines())))


def _save(request: HttpRequest, project: Project, typed: Values) -> bool:
    seen = request.POST.get("seen", "")

    def require_unchanged(now: Project) -> None:
        if _fingerprint(now) != seen:
            raise Stale("Someone else changed these settings while this form was open.")

    columns = _columns(project, typed)
    if columns or _fingerprint(project) != seen:
        edit_project(project=project, actor=actor_of(request), columns=columns, guard=require_unchanged)
    return bool(columns)


def _columns(project: Project, typed: Values) -> Values:
    differs = {name for name, value in _values_of(project).items() if typed[name] != value}
    columns: Values = {name: typed[name] for name in ("name", "root_path", "paths") if name in differs}
    if differs - set(columns):
        chosen = {
            **typed, "lease_minutes": _minutes(typed["lease_minutes"]), "gates": _gates(typed["gates"]),
            "time_zone": typed["time_zone"] or None,
        }  # fmt: skip
        others = {name: value for name, value in project.settings.items() if name not in FIELDS}
        set_ones = {name: chosen[name] for name in FIELDS if chosen[name] is not None and chosen[name] is not False}
        columns["settings"] = others | set_ones
    return columns


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) if value else ""


def _gates(text: str) -> Any:
    """Return what a JSON text says; one that is none stays a text, which no setting takes."""
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return text


def _minutes(text: str) -> int | float | str | None:
    if not text:
        return None
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        return text


def _fingerprint(project: Project) -> str:
    state = json.dumps([project.name, project.settings, project.root_path, paths_of(project)], sort_keys=True)
    return hashlib.sha256(state.encode()).hexdigest()[:32]


def _form(
    request: HttpRequest, project: Project, values: Values, error: Conflict | Invalid | ServerFault | None = None
) -> HttpResponse:
    seen = "" if isinstance(error, Stale) else request.POST.get("seen", "")
    context = {
        "project": project,
        "values": values,
        "errors": errors_by_field(error),
        "taken": error if isinstance(error, Conflict) and not isinstance(error, Stale) else None,
        "busy": error if isinstance(error, ServerFault) else None,
        "now": _values_of(project) if isinstance(error, Stale) else None,
        "seen": seen or _fingerprint(project),
        "name_limit": NAME_LIMIT,
        "lease_default": site.ORCHESTRATOR_LEASE_MINUTES,
        "lease_limit": LEASE_MINUTES_LIMIT,
        "mirror_folder": MIRROR_FOLDER,
        "has_folder": folder(project.root_path) is not None,
        "others": sorted(name for name in project.settings if name not in SETTINGS),
    }
    return render(request, "tasks/settings.html", context, status=error.status if error else 200)
