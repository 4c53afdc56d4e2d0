"""Find the project of a connection, and create it on the first visit."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from orchestrator_site.kernel.errors import Hint, Invalid, NotFound
from tasks.models import Project

OWN_VARIABLE = "ORCHESTRATOR_PROJECT_DIR"
CLIENT_VARIABLES = ("CLAUDE_PROJECT_DIR", "VSCODE_CWD", "CURSOR_CWD", "WINDSURF_CWD")
_SLUG_TRIES = 1000


def find_root(*, explicit: str | None, environ: Mapping[str, str], working_directory: str) -> Path:
    """Return the project's folder: from the argument, our variable, the clients' variables, the git root of the
    working directory, or the working directory; but not this product's own folder by accident.

    Raises Invalid where a named folder does not exist, or none can be determined.
    """
    if explicit is not None:
        return _named(explicit, "project_dir")
    if environ.get(OWN_VARIABLE):
        return _named(environ[OWN_VARIABLE], OWN_VARIABLE)
    for name in CLIENT_VARIABLES:
        if found := folder(environ.get(name, "")):
            return found
    if here := folder(working_directory):
        root = next((each for each in (here, *here.parents) if (each / ".git").exists()), here)
        if not root.is_relative_to(settings.BASE_DIR):
            return root
    raise Invalid("Cannot determine the project's folder from this connection.", hint=Hint.NAME_PROJECT)


def project_at(root: Path) -> Project:
    name = root.name or "root"
    slug = slugify(name)[:70] or "project"
    for number in range(1, _SLUG_TRIES):
        if found := Project.objects.filter(root_path=str(root)).first():
            return found
        # It fails where another process has just made this project, or the slug belongs to another folder.
        with suppress(IntegrityError), transaction.atomic():
            return Project.objects.create(
                slug=slug if number == 1 else f"{slug}-{number}", name=name[:200], root_path=str(root)
            )
    raise Invalid("Too many projects share this folder's name.", next="Rename the folder.")


def bound_project(project_id: int, project_dir: str) -> Project:
    """Return the project that a token is bound to, if the folder is that project's.

    Raises NotFound for another folder, Invalid for a bad path.
    """
    project = Project.objects.get(pk=project_id)
    if project.root_path and _named(project_dir, "project_dir") == Path(project.root_path):
        return project
    raise NotFound(
        f"project_dir: this access token is for the project {project.slug!r}, which has another folder.",
        next="Omit project_dir.",
    )


def folder(path: str) -> Path | None:
    """Return the folder of an absolute path, resolved; None where there is none."""
    try:
        return Path(path).resolve() if Path(path).is_absolute() and Path(path).is_dir() else None
    except OSError:
        return None  # a name that is too long for the file system


def _named(text: str, source: str) -> Path:
    if "\x00" in text or not Path(text).is_absolute():
        raise Invalid(f"{source}: must be an absolute path.", hint=Hint.NAME_PROJECT)
    if (found := folder(text)) is None:
        raise Invalid(f"{source}: no such folder on the server.", hint=Hint.NAME_PROJECT)
    return found
