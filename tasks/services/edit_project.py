"""Create a project, and change its name, settings and folders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import IntegrityError
from django.utils.text import slugify

from orchestrator_site.kernel.errors import Conflict, invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.limits import check_texts
from orchestrator_site.kernel.signals import project_files_changed
from tasks import events
from tasks.choices import Verb
from tasks.identity.actor import Actor
from tasks.models import Project
from tasks.project_settings.schema import problems_of
from tasks.services.project_folders import paths_of, resolved, take_folders
from tasks.services.projects import folder, taking_folders

NAME_LIMIT = 200
SLUG_LIMIT = 80


def create_project(
    *, actor: Actor, name: str, slug: str = "", root_path: str = "", settings: dict[str, Any] | None = None
) -> Project:
    """Create a project; the default slug comes from its name.

    Raises Forbidden, Invalid, and Conflict where the slug or the folder belongs to another project.
    """
    actor.require(Scope.ADMIN)
    slug = slug or slugify(name)[:SLUG_LIMIT] or "project"
    columns: dict[str, Any] = {
        "name": name.strip(),
        "slug": slug,
        "root_path": root_path,
        "settings": {} if settings is None else settings,
    }
    _check(columns)
    columns = resolved(columns)
    require_mirrors_folder(columns["settings"], {}, columns["root_path"])
    try:
        with taking_folders():
            if Project.objects.filter(paths__path=columns["root_path"]).exists():
                raise IntegrityError
            project = Project.objects.create(**columns)
            events.record(actor=actor, verb=Verb.CREATE_PROJECT, project=project, after=columns)
            project_files_changed.send(Project, project=project)
    except IntegrityError as error:
        raise Conflict(
            "A project with this slug or folder exists.", next="Use it, or send another slug or folder."
        ) from error
    return project


def edit_project(
    *, project: Project, actor: Actor, columns: dict[str, Any], guard: Callable[[Project], None] | None = None
) -> Project:
    """Change a project's name, settings, folder (`root_path`) and further `paths`; omitted ones stay as they are.

    `guard` checks the locked row before anything is changed. Raises Forbidden, Invalid, Conflict where a folder belongs
    to another project with tasks, and what `guard` raises.
    """
    actor.require(Scope.ADMIN)
    _check(columns, kept=project.settings)
    with taking_folders():
        project = Project.objects.select_for_update().get(pk=project.pk)
        if guard:
            guard(project)
        paths = paths_of(project)
        columns = resolved(columns, kept=[project.root_path, *paths])
        before = {name: paths if name == "paths" else getattr(project, name) for name in columns}
        _require_mirrors_folder_after(project, columns)
        take_folders(project, columns)
        fields = [name for name in columns if name != "paths"]
        for name in fields:
            setattr(project, name, columns[name])
        if columns:
            project.save(update_fields=fields)
            events.record(actor=actor, verb=Verb.EDIT_PROJECT, project=project, before=before, after=columns)
            project_files_changed.send(Project, project=project)
    return project


def edit_settings(
    *,
    project: Project,
    actor: Actor,
    change: Callable[[dict[str, Any]], dict[str, Any]],
    guard: Callable[[Project], None] | None = None,
) -> Project:
    """Replace a project's settings by what `change` makes of those of the locked row.

    Raises Forbidden, Invalid, and what `guard` raises.
    """
    actor.require(Scope.ADMIN)
    with taking_folders():
        now = Project.objects.select_for_update().get(pk=project.pk)
        settings = change(now.settings)
        _check({"settings": settings}, kept=now.settings)
        columns = {"settings": settings} if settings != now.settings else {}
        return edit_project(project=now, actor=actor, columns=columns, guard=guard)


def _require_mirrors_folder_after(project: Project, columns: dict[str, Any]) -> None:
    root_path = columns.get("root_path", project.root_path)
    before = project.settings if root_path == project.root_path else {}
    require_mirrors_folder(columns.get("settings", project.settings), before, root_path)


def require_mirrors_folder(settings: dict[str, Any], before: dict[str, Any], root_path: str) -> None:
    if settings.get("mirror") and not before.get("mirror") and not folder(root_path):
        raise invalid(
            [{"at": "settings.mirror", "problem": "the project has no folder on this machine"}],
            next="Run this where the project's folder is, or use `manage.py artifacts export`.",
        )


def _check(columns: dict[str, Any], *, kept: dict[str, Any] | None = None) -> None:
    texts = {name: columns[name] for name in ("name", "slug", "root_path") if name in columns}
    problems = check_texts(texts | {f"paths[{n}]": path for n, path in enumerate(columns.get("paths", ()))})
    if "name" in columns and not 1 <= len(columns["name"].strip()) <= NAME_LIMIT:
        problems.append({"at": "name", "problem": f"must have 1 to {NAME_LIMIT} characters"})
    if "slug" in columns and (slugify(columns["slug"]) != columns["slug"] or len(columns["slug"]) > SLUG_LIMIT):
        problems.append({"at": "slug", "problem": f"must be up to {SLUG_LIMIT} letters a-z, digits, - and _"})
    if "settings" in columns:
        problems += problems_of(columns["settings"], kept=kept)
    if problems:
        raise invalid(problems, next="Fix these and retry.")
