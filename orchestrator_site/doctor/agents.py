"""Check what runs of agents need: Git, a jail, the agents' programs and logins, and a supervisor."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from orchestrator_site.doctor.findings import Finding, ok, warning
from orchestrator_site.kernel.errors import OrchestratorError
from tasks.agents.adapters import ADAPTERS
from tasks.agents.adapters.base import Adapter
from tasks.agents.models import Isolation
from tasks.agents.probe import program_of, why_no_jail
from tasks.agents.selectors.isolation import isolation_of
from tasks.agents.selectors.supervisors import present
from tasks.agents.worktrees.git import installed

_START = "Start it: python manage.py up"


def agents() -> Iterator[Finding]:
    """Check what the projects use that let agents run; nothing where none does."""
    if Isolation._meta.db_table not in connection.introspection.table_names():
        yield ok("agents", "Isolated agents are off: there is no database yet.")
        return
    found = [isolation_of(row.project) for row in Isolation.objects.filter(is_on=True).select_related("project")]
    used = [settings for is_on, settings in found if is_on]
    if not used:
        yield ok("agents", "Isolated agents are off in all projects.")
        return
    yield ok("agents", "A supervisor is there.") if present().exists() else warning("agents", "No supervisor.", _START)
    yield _git()
    if why := why_no_jail():
        yield warning("agents: jail", why, "Install bubblewrap, or agents run with all rights of this account.")
    else:
        yield ok("agents: jail", "Agents run in a jail.")
    for name in sorted({name for settings in used for name in settings.agents}):
        yield from _program(ADAPTERS[name])


def _git() -> Finding:
    try:
        return ok("agents: git", f"{installed()}.")
    except OrchestratorError as error:
        return warning("agents: git", error.message, error.next)


def _program(adapter: Adapter) -> Iterator[Finding]:
    area = f"agents: {adapter.name}"
    if not adapter.executables:
        return
    program = program_of(adapter)
    if not program.path:
        yield warning(area, f"{adapter.title} is not installed.", f"Put {adapter.executables[0]} on the site's PATH.")
        return
    yield ok(area, f"{adapter.title} {program.version}.", path=program.path, version=program.version)
    if program.warning:
        yield warning(area, program.warning, "Watch its first runs, or install a version that was tested.")
    if not program.has_login:
        names = " or ".join(adapter.secrets)
        yield warning(area, f"{adapter.title} has no login here.", f"Sign it in with this account, or set {names}.")
