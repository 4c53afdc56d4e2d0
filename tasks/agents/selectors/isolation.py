"""Whether agents may run for a project, and with what."""

from __future__ import annotations

from tasks.agents.models import Isolation
from tasks.agents.settings import IsolationSettings, parsed
from tasks.models import Project


def isolation_of(project: Project) -> tuple[bool, IsolationSettings]:
    """Return whether it is on, and the settings."""
    found = Isolation.objects.filter(project=project).first()
    return (found.is_on, parsed(found.settings)) if found else (False, IsolationSettings())
