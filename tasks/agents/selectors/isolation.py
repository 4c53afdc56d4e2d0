"""Whether agents may run for a project, and with what."""

from __future__ import annotations

from orchestrator_site.kernel.errors import Invalid
from tasks.agents.models import Isolation
from tasks.agents.settings import IsolationSettings, parsed
from tasks.models import Project


def isolation_of(project: Project) -> tuple[bool, IsolationSettings]:
    """Return whether it is on, and the settings. It is off where they are of another version and not understood."""
    found = Isolation.objects.filter(project=project).first()
    try:
        return (found.is_on, parsed(found.settings)) if found else (False, IsolationSettings())
    except Invalid:
        return False, IsolationSettings()
