"""What a project has switched off."""

from __future__ import annotations

from orchestrator_site.kernel.errors import Conflict
from tasks.models import Project
from tasks.project_settings import OFF, setting


def require_on(project: Project, name: str) -> None:
    """Raise Conflict where a switch of a project is off."""
    if setting(project, name) == OFF:
        raise Conflict(
            f"{name} is off in the settings of the project {project.slug}.",
            next="An administrator can set it to suggest or act.",
        )
