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
from tasks.services.edit_project import NAME_LIMIT, edit_project, edit_settings
from tasks.services.project_folders import paths_of
from tasks.services.projects import folder
from tasks.views.edit_form import digest
from tasks.views.settings_fields import Field, changed, errors_by_name, fields_of, rebased, sections

REFUSED = (Conflict, Invalid, ServerFault, TooLarge)


@form(Scope.ADMIN)
def settings(request: HttpRequest, slug: str) -> HttpResponseBase:
    found = find_project(slug)
    if request.method != "POST":
        return _form(request, found)
    try:
        with db_errors_mapped("settings on a page"):
            has_changed = _save(request, found)
    except REFUSED as error:
        found.refresh_from_db()
        return _form(request, found, error)
    messages.success(request, "Settings saved." if has_changed else "No changes to save.")
    return redirect("project-settings", slug=slug)


@form(Scope.ADMIN)
def as_yaml(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Replace all settings by a YAML text, after a preview of what that changes."""
    project, text, document = find_project(slug), request.POST.get("text", ""), None
    if request.method != "POST":
        return _yaml_form(request, project, to_yaml(project.settings))
    try:
        text = _uploaded(request) or text
        document = _read(project, text)
        if "save" not in request.POST:
            return _yaml_form(request, project, text, document=document)
        with db_errors_mapped("settings as YAML"):
            _replace(request, project, dict(document))
    except REFUSED as error:
        project.refresh_from_db()
        return _yaml_form(request, project, text, document=document, error=error)
    messages.success(request, "Settings replaced.")
    return redirect("project-settings", slug=slug)


@form(Scope.ADMIN)
def download(request: HttpRequest, slug: str) -> HttpResponseBase:
    project = find_project(slug)
    answer = HttpResponse(to_yaml(project.settings), content_type="application/yaml; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{project.slug}-settings.yaml"'
    return answer


def _texts(project: Project, fields: list[Field]) -> dict[str, str]:
    """Return what the form shows of a project before anything was entered."""
    own = {"name": project.name, "root_path": project.root_path, "paths": "\n".join(paths_of(project))}
    return {**own, **{field.name: field.shown for field in fields}}


def _save(request: HttpRequest, project: Project) -> bool:
    fields = fields_of(sections(project.settings, list(roles.catalogue(project).roles)))
    texts, against = rebased(_texts(project, fields), request.POST.dict())
    if against:
        raise Stale("Someone else changed these settings while this form was open.")
    if columns := _columns(project, fields, texts):
        guard = _require_digest(_digest(*_state(project)), lambda now: _digest(*_state(now)))
        edit_project(project=project, actor=actor_of(request), columns=columns, guard=guard)
    return bool(columns)


def _columns(project: Project, fields: list[Field], texts: dict[str, str]) -> dict[str, Any]:
    """Return what differs from what there is."""
    paths = sorted(filter(None, map(str.strip, texts["paths"].splitlines())))
    typed = {
        "name": texts["name"],
        "settings": changed(project.settings, fields, texts),
        "root_path": texts["root_path"],
        "paths": paths,
    }
    now = dict(zip(typed, _state(project), strict=True))
    return {name: value for name, value in typed.items() if value != now[name]}


def _state(project: Project) -> tuple[Any, ...]:
    return project.name, project.settings, project.root_path, paths_of(project)


def _replace(request: HttpRequest, project: Project, document: dict[str, Any]) -> None:
    """Replace the settings, if these and the document are still what the preview compared."""
    guard = _require_digest(request.POST["save"], lambda now: _digest(now.settings, document))
    edit_settings(project=project, actor=actor_of(request), change=lambda _: document, guard=guard)


def _require_digest(seen: str, of: Callable[[Project], str]) -> Callable[[Project], None]:
    def require(now: Project) -> None:
        if of(now) != seen:
            raise Stale("Something changed after it was shown.")

    return require


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _form(request: HttpRequest, project: Project, error: OrchestratorError | None = None) -> HttpResponse:
    specialists = list(roles.catalogue(project).roles)
    fields = fields_of(sections(project.settings, specialists))
    now = _texts(project, fields)
    texts, against = rebased(now, request.POST.dict())
    errors = {**errors_by_field(error), **errors_by_name(error, fields)}
    context = {
        "project": project,
        "values": texts,
        "sections": sections(project.settings, specialists, texts, errors),
        "errors": errors,
        "error": error,
        "is_stale": isinstance(error, Stale),
        "against": against.items(),
        "was": [(name, digest(text)) for name, text in now.items()],
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
        "previewed": _digest(project.settings, document),
        "differences": differences(project.settings, document) if document is not None else [],
        "problems": error.details.get("problems", []) if error else [],
        "error": error,
        "is_stale": isinstance(error, Stale),
    }
    return render(request, "tasks/settings_yaml.html", context, status=error.status if error else 200)


def _uploaded(request: HttpRequest) -> str:
    file = request.FILES.get("file")
    if file is None:
        return ""
    try:
        return str(file.read(BYTES_LIMIT + 1), "utf-8")
    except UnicodeDecodeError as error:
        raise Invalid("The file is not a text in UTF-8.", next="Choose another.") from error


def _read(project: Project, text: str) -> YamlDocument:
    """Read a document. Raises Invalid with the line of everything that is wrong."""
    document = read_yaml(text)
    if problems := problems_of(document, kept=project.settings):
        error = invalid(problems, next="Correct the YAML.")
        document.locate(error)
        raise error
    return document
