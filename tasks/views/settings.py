"""The settings of a project: a form of their schema, and the whole document as YAML."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render

from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import Conflict, Invalid, OrchestratorError, ServerFault, Stale, TooLarge, invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.web.field_errors import errors_by_field
from orchestrator_site.web.pages import form
from tasks import roles
from tasks.identity.page import actor_of, find_project
from tasks.models import Project
from tasks.project_settings.document import YamlDocument, differences, read_yaml
from tasks.project_settings.schema import BYTES_LIMIT, NAMED, problems_of, to_yaml
from tasks.services.edit_project import NAME_LIMIT, edit_project
from tasks.services.project_folders import paths_of
from tasks.services.projects import folder
from tasks.views.settings_fields import changed, errors_by_name, fields_of, sections

REFUSED = (Conflict, Invalid, ServerFault, TooLarge)
Values = dict[str, Any]


@form(Scope.ADMIN)
def settings(request: HttpRequest, slug: str) -> HttpResponseBase:
    found = find_project(slug)
    if request.method != "POST":
        return _form(request, found, _columns_of(found))
    typed = {
        "name": request.POST.get("name", "").strip(),
        "root_path": request.POST.get("root_path", found.root_path).strip(),
        "paths": _lines(request.POST.get("paths", "\n".join(paths_of(found)))),
    }
    try:
        with db_errors_mapped("settings on a page"):
            has_changed = _save(request, found, _columns(request, found, typed))
    except REFUSED as error:
        if isinstance(error, Stale):
            found.refresh_from_db()
        return _form(request, found, typed, error)
    messages.success(request, "Settings saved." if has_changed else "No changes to save.")
    return redirect("project-settings", slug=slug)


@form(Scope.ADMIN)
def as_yaml(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Replace all settings by a YAML text, after a preview of what that changes."""
    project = find_project(slug)
    if request.method != "POST":
        return _yaml_form(request, project, to_yaml(project.settings))
    text = request.POST.get("text", "")
    try:
        text = _uploaded(request) or text
        document = read_yaml(text)
        _require_right(project, document)
        if "save" not in request.POST:
            return _yaml_form(request, project, text, document=document)
        with db_errors_mapped("settings as YAML"):
            _save(request, project, {"settings": dict(document)} if document != project.settings else {})
    except REFUSED as error:
        project.refresh_from_db()
        return _yaml_form(request, project, text, error=error)
    messages.success(request, "Settings replaced.")
    return redirect("project-settings", slug=slug)


@form(Scope.ADMIN)
def download(request: HttpRequest, slug: str) -> HttpResponseBase:
    project = find_project(slug)
    answer = HttpResponse(to_yaml(project.settings), content_type="application/yaml; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{project.slug}-settings.yaml"'
    return answer


def _columns_of(project: Project) -> Values:
    return {"name": project.name, "root_path": project.root_path, "paths": paths_of(project)}


def _columns(request: HttpRequest, project: Project, typed: Values) -> Values:
    """Return what differs from what the form showed."""
    columns = {name: typed[name] for name, value in _columns_of(project).items() if typed[name] != value}
    document = changed(project.settings, list(roles.catalogue(project).roles), request.POST.dict())
    return {**columns, "settings": document} if document != project.settings else columns


def _lines(text: str) -> list[str]:
    return sorted(filter(None, map(str.strip, text.splitlines())))


def _save(request: HttpRequest, project: Project, columns: Values) -> bool:
    seen = request.POST.get("seen", "")
    if columns or _fingerprint(project) != seen:
        edit_project(project=project, actor=actor_of(request), columns=columns, guard=_unchanged_since(seen))
    return bool(columns)


def _unchanged_since(seen: str) -> Callable[[Project], None]:
    def require_unchanged(now: Project) -> None:
        if _fingerprint(now) != seen:
            raise Stale("Someone else changed these settings while this form was open.")

    return require_unchanged


def _fingerprint(project: Project) -> str:
    state = json.dumps([project.name, project.settings, project.root_path, paths_of(project)], sort_keys=True)
    return hashlib.sha256(state.encode()).hexdigest()[:32]


def _form(
    request: HttpRequest, project: Project, values: Values, error: OrchestratorError | None = None
) -> HttpResponse:
    specialists = list(roles.catalogue(project).roles)
    now = sections(project.settings, specialists)
    errors = {**errors_by_field(error), **errors_by_name(error, now)}
    shown = sections(project.settings, specialists, request.POST.dict(), errors) if error else now
    is_stale = isinstance(error, Stale)
    context = {
        "project": project,
        "values": values,
        "sections": shown,
        "errors": errors,
        "error": error,
        "is_stale": is_stale,
        "unlike": [old for old, new in zip(fields_of(now), fields_of(shown), strict=True) if old.shown != new.shown],
        "seen": _seen(request, project, error),
        "name_limit": NAME_LIMIT,
        "no_folder": folder(project.root_path) is None,
        "others": [each.name for each in differences({}, project.settings) if each.name not in NAMED],
    }
    return render(request, "tasks/settings.html", context, status=error.status if error else 200)


def _yaml_form(
    request: HttpRequest,
    project: Project,
    text: str,
    *,
    document: YamlDocument | None = None,
    error: OrchestratorError | None = None,
) -> HttpResponse:
    context = {
        "project": project,
        "text": text,
        "is_preview": document is not None,
        "differences": differences(project.settings, document) if document is not None else [],
        "problems": error.details.get("problems", []) if error else [],
        "error": error,
        "is_stale": isinstance(error, Stale),
        "seen": _seen(request, project, error),
    }
    return render(request, "tasks/settings_yaml.html", context, status=error.status if error else 200)


def _seen(request: HttpRequest, project: Project, error: OrchestratorError | None) -> str:
    """Return what the form was made of; after a warning that it is stale, what there is now."""
    kept = "" if isinstance(error, Stale) else request.POST.get("seen", "")
    return kept or _fingerprint(project)


def _uploaded(request: HttpRequest) -> str:
    file = request.FILES.get("file")
    if file is None:
        return ""
    try:
        return str(file.read(BYTES_LIMIT + 1), "utf-8")
    except UnicodeDecodeError as error:
        raise Invalid("The file is not a text in UTF-8.", next="Choose another.") from error


def _require_right(project: Project, document: YamlDocument) -> None:
    """Raise Invalid with the line of everything that is wrong."""
    if problems := problems_of(document, kept=project.settings):
        error = invalid(problems, next="Correct the YAML.")
        document.locate(error)
        raise error
