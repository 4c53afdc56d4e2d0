"""What maintenance does by itself: nothing, but in projects whose settings switch it on, one function per switch.

A project in which something fails does not keep it from the others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.utils import timezone

from maintenance.choices import Level
from maintenance.found import Found
from maintenance.selectors import handovers
from maintenance.selectors.archivable import archivable
from maintenance.selectors.purgeable import purgeable
from maintenance.selectors.scope import of_project
from maintenance.services.documents import update_documents
from maintenance.services.handover import prepare
from maintenance.services.purge import purge
from orchestrator_site.kernel.errors import Conflict, OrchestratorError
from tasks.identity.actor import Actor
from tasks.models import Project, Task
from tasks.services.archive import archive
from tasks.services.archive_plans import archive_plans

logger = logging.getLogger(__name__)

BATCH = 50
"""How many plans of a project one run archives or purges; the next run goes on."""
_REASON = "Its retention is over; archiving is switched on for this project."


def projects_with(switch: str) -> list[Project]:
    """Return the projects that switch something on; there are few of them, so the settings are read here."""
    projects = Project.objects.filter(settings__has_key="maintenance").order_by("pk")
    return [each for each in projects if switch in each.settings["maintenance"].get("automatic", ())]


def archive_eligible() -> str:
    """Archive what has been quiet for longer than its retention."""
    return _sentence("Archived {} plans and tasks", _in_each("archive", _archive))


def purge_eligible() -> str:
    """Purge what has been archived for longer than its retention."""
    return _sentence("Purged {} plans", _in_each("purge", _purge))


def prepare_handovers() -> str:
    """Prepare a handover where the board has moved since the newest one."""
    return _sentence("Prepared {} handovers", _in_each("handover", _prepare))


def update_status_documents() -> str:
    """Bring the status documents up to date, with a file for each open plan."""
    return _sentence("Wrote {} status documents", _in_each("status_documents", _update))


def _archive(project: Project) -> int:
    found = archivable(of_project(project), timezone.now())[:BATCH]
    tasks = _tasks(project, found)
    seen = {each.task_pk: each.seen for each in found}
    plans = {task.pk: seen[task.pk] for task in tasks if task.is_plan}
    done = len(archive_plans(project=project, plans=plans, actor=_system(), reason=_REASON))
    single = (task for task in tasks if not task.is_plan)
    return done + sum(_unless_changed(archive, task=task, actor=_system(), reason=_REASON) for task in single)


def _purge(project: Project) -> int:
    found = purgeable(of_project(project), timezone.now())[:BATCH]
    return sum(_unless_changed(purge, task=task, actor=_system()) for task in _tasks(project, found))


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


def _tasks(project: Project, found: list[Found]) -> list[Task]:
    rows = Task.objects.filter(project=project).in_bulk([each.task_pk for each in found if each.task_pk is not None])
    return [rows[each.task_pk] for each in found if each.task_pk in rows]


def _unless_changed(do: Callable[..., Any], **given: Any) -> int:
    """Do it to a task, unless it is not as it was found any more."""
    try:
        do(**given)
    except Conflict as conflict:
        logger.info("Left alone: %s", conflict.message)
        return 0
    return 1


def _in_each(switch: str, do: Callable[[Project], int]) -> tuple[int, int, list[str]]:
    """Do it in each project that switches it on; returns how many these are, what was done, and what failed."""
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
    return f"{what.format(done)} of {projects} projects that switch it on.{failed}"


def _system() -> Actor:
    return Actor.system("maintenance")
