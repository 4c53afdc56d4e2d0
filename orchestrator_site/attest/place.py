"""Where the user is: in which project, and in which folder of it a command is run."""

from __future__ import annotations

import os
from pathlib import Path

from orchestrator_site.connect.machine import project_folder
from orchestrator_site.kernel.errors import NotFound
from tasks.models import Project
from tasks.repositories import place_of
from tasks.services.projects import known_at


def project_here(named: Path | None) -> Project:
    """Return the project of a folder, by default of the one the user is in. Raises NotFound."""
    if (project := known_at(_here(named))) is None:
        raise NotFound(
            "This folder belongs to no project of this installation.",
            next="Go to the project's folder, or name it: --project DIR. A site elsewhere: --site URL",
        )
    return project


def folder_here(named: Path | None, project: Project | None) -> Path:
    """Return the project's folder that the user is in: one of its own, else the top of the worktree or the clone.

    Of a project elsewhere only the user can say in which folder of a repository it is.
    """
    if named and project is None:
        return _here(named)
    place = place_of(_here(named))
    known = {project.root_path, *project.paths.values_list("path", flat=True)} if project else set()
    return next((each for each in place.inside if str(each) in known), place.inside[-1])


def _here(named: Path | None) -> Path:
    return project_folder(named) or Path(os.path.realpath(os.getcwd()))  # noqa: PTH109
