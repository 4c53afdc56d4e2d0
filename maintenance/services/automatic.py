"""What maintenance does by itself: nothing, but in projects whose settings say `act`, one function per switch.

A project in which something fails does not keep it from the others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from django.utils import timezone

from maintenance.choices import Action, Level, ScopeWord
from maintenance.found import Found
from maintenance.selectors import handovers
from maintenance.selectors.archivable import archivable
from maintenance.selectors.purgeable import purgeable
from maintenance.selectors.scope import of_project
from maintenance.services import operations
from maintenance.services.documents import update_documents
from maintenance.services.handover import prepare
from maintenance.services.proposals import apply
from orchestrator_site.kernel.errors import OrchestratorError
from tasks.identity.actor import Actor
from tasks.models import Project
from tasks.project_settings import ACT, setting

logger = logging.getLogger(__name__)

BATCH = 50
"""How many plans of a project one run archives or purges; the next run goes on."""
_REASON = "Its retention is over, and the project's settings say act."


def projects_with(switch: str) -> list[Project]:
    """Return the projects in which a switch acts; there are few of them, so the settings are read here."""
    section = switch.partition(".")[0]
    projects = Project.objects.filter(settings__has_key=section).order_by("pk")
    return [each for each in projects if setting(each, switch) == ACT]


def archive_eligible() -> str:
    """Archive what has been quiet for longer than its retention."""
    return _sentence("Archived {} plans and tasks", _in_each("maintenance.archive", _archive))


def purge_eligible() -> str:
    """Purge what has been archived for longer than its retention."""
    return _sentence("Purged {} plans", _in_each("maintenance.purge", _purge))


def prepare_handovers() -> str:
    """Prepare a handover where the board has moved since the newest one."""
    return _sentence("Prepared {} handovers", _in_each("handover.prepare", _prepare))


def update_status_documents() -> str:
    """Bring the status documents up to date, with a file for each open plan."""
    return _sentence("Wrote {} status documents", _in_each("maintenance.status_documents", _update))


def _archive(project: Project) -> int:
    return _do(project, Action.ARCHIVE, archivable(of_project(project), timezone.now())[:BATCH])


def _purge(project: Project) -> int:
    return _do(project, Action.PURGE, purgeable(of_project(project), timezone.now())[:BATCH])


def _do(project: Project, action: Action, found: list[Found]) -> int:
    """Do what was found as an operation, which can be undone; what changed in between is left alone."""
    if not found:
        return 0
    operation = operations.new_operation(
        actor=_system(), project=project, action=action, scope=ScopeWord.FULL_PROJECT, level=Level.COMPREHENSIVE
    )  # fmt: skip
    with operations.running(operation):
        progress = partial(operations.note_progress, operation)
        changes = apply(project=project, proposals=found, actor=_system(), reason=_REASON, progress=progress)
    done = sum("conflict" not in each for each in changes)
    operations.finish(operation, operations.Result({"changes_total": done}, found, changes))
    return done


def _prepare(project: Project) -> int:
    newest = handovers.latest(project)
    if newest is not None and not handovers.moved_since(newest):
        return 0
    prepare(scope=of_project(project), actor=_system())
    return 1


def _update(project: Project) -> int:
    report = update_documents(scope=of_project(project), level=Level.COMPREHENSIVE, actor=_system())
    if report.left:
        logger.warning("Project %s: %s", project.slug, report)
    return len(report.written)


def _in_each(switch: str, do: Callable[[Project], int]) -> tuple[int, int, list[str]]:
    """Do it in each project in which it acts; returns how many these are, what was done, and what failed."""
    projects, done, problems = projects_with(switch), 0, []
    for project in projects:
        try:
            done += do(project)
        except OrchestratorError as error:
            problems.append(f"{project.slug}: {error.message}")
            logger.warning("%s of project %s failed: %s", switch, project.slug, error.message)
    return len(projects), done, problems


def _sentence(what: str, outcome: tuple[int, int, list[str]]) -> str:
    projects, done, problems = outcome
    failed = f" {len(problems)} projects failed: {'; '.join(problems)[:500]}" if problems else ""
    return f"{what.format(done)} of {projects} projects in which this acts.{failed}"


def _system() -> Actor:
    return Actor.system("maintenance")
