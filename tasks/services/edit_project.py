"""Make a project on purpose, and change what it is called and how it works."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from orchestrator_site.kernel.errors import Conflict, Invalid, invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.limits import check_texts
from orchestrator_site.kernel.signals import project_files_changed
from tasks import events
from tasks.choices import Verb
from tasks.identity.actor import Actor
from tasks.models import Project
from tasks.validators import KNOWN, validate_project_settings

NAME_LIMIT = 200
SLUG_LIMIT = 80


def create_project(
    *, actor: Actor, name: str, slug: str = "", root_path: str = "", settings: dict[str, Any] | None = None
) -> Project:
    """Make a project; without a slug, one is made of its name.

    Raises Forbidden for an actor that may not, Invalid for values that cannot be, Conflict where the slug or the folder
    belongs to another project.
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
    columns["root_path"] = _folder(root_path)
    require_mirrors_folder(columns["settings"], {}, columns["root_path"])
    try:
        with transaction.atomic():
            project = Project.objects.create(**columns)
            events.record(actor=actor, verb=Verb.CREATE_PROJECT, project=project, after=columns)
            project_files_changed.send(Project, project=project)
    except IntegrityError as error:
        raise Conflict(
            "There is a project of this slug or folder already.", next="Use that one, or send another slug or folder."
        ) from error
    return project


def edit_project(
    *, project: Project, actor: Actor, columns: dict[str, Any], guard: Callable[[Project], None] | None = None
) -> Project:
    """Change a project's name and settings; what is not named stays as it is.

    `guard` is asked with the row locked, before anything is changed. Raises Forbidden for an actor that may not,
    Invalid for values that cannot be, and what `guard` raises.
    """
    actor.require(Scope.ADMIN)
    _check(columns, kept=project.settings)
    with transaction.atomic():
        project = Project.objects.select_for_update().get(pk=project.pk)
        if guard:
            guard(project)
        before = {name: getattr(project, name) for name in columns}
        require_mirrors_folder(columns.get("settings", {}), project.settings, project.root_path)
        for name, value in columns.items():
            setattr(project, name, value)
        if columns:
            project.save(update_fields=list(columns))
            events.record(actor=actor, verb=Verb.EDIT_PROJECT, project=project, before=before, after=columns)
            project_files_changed.send(Project, project=project)
    return project


def require_mirrors_folder(settings: dict[str, Any], before: dict[str, Any], root_path: str) -> None:
    """Check that a mirror which is switched on has a folder to lie in.

    Raises Invalid.
    """
    if settings.get("mirror") and not before.get("mirror") and not (root_path and Path(root_path).is_dir()):
        raise invalid(
            [{"at": "settings.mirror", "problem": "the project has no folder on this machine to keep the files in"}],
            next="Nothing was changed. Run this where the project's folder is, or use `manage.py artifacts export`.",
        )


def _check(columns: dict[str, Any], *, kept: dict[str, Any] | None = None) -> None:
    problems = check_texts({name: columns[name] for name in ("name", "slug", "root_path") if name in columns})
    if "name" in columns and not 1 <= len(columns["name"].strip()) <= NAME_LIMIT:
        problems.append({"at": "name", "problem": f"a name of 1 to {NAME_LIMIT} characters is wanted"})
    if "slug" in columns and (slugify(columns["slug"]) != columns["slug"] or len(columns["slug"]) > SLUG_LIMIT):
        problems.append({"at": "slug", "problem": f"up to {SLUG_LIMIT} letters a-z, digits, - and _ are wanted"})
    if "settings" in columns:
        problems += _settings_problems(columns["settings"], kept or {})
    if problems:
        raise invalid(problems, next="Nothing was changed. Mend these and send it again.")


def _settings_problems(settings: Any, kept: dict[str, Any]) -> list[dict[str, Any]]:
    """Unknown settings that are there already, perhaps of a newer version, may stay as they are."""
    if isinstance(settings, dict):
        unknown = {name for name in kept if name not in KNOWN}
        settings = {name: settings[name] for name in settings if name not in unknown or settings[name] != kept[name]}
    try:
        validate_project_settings(settings)
    except ValidationError as error:
        place = f"settings.{error.code}" if error.code in KNOWN else "settings"
        return [{"at": place, "problem": " ".join(error.messages)}]
    return []


def _folder(root_path: str) -> str:
    """Return a folder of the server's machine as it is kept; empty where none is meant."""
    if not root_path:
        return ""
    try:
        if Path(root_path).is_absolute() and Path(root_path).is_dir():
            return str(Path(root_path).resolve())
    except OSError:
        pass  # a name too long for the system is no folder either
    raise Invalid(
        "root_path: the absolute path of a folder on the server's machine is wanted.", next="Send one, or leave it out."
    )
