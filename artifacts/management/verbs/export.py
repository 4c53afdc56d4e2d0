"""`manage.py artifacts export`."""

from __future__ import annotations

from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from artifacts.export.contents import works_in, works_of
from artifacts.services.export import Report, export
from orchestrator_site.kernel.errors import Conflict, NotFound
from tasks.models import Project, Task

HELP = "write delivered work as plain files, at its logical paths"
TOLD = 50
"""How many problems are told one by one."""


def options(parser: CommandParser) -> None:
    """Where to, and of what."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="written to: DIR/<project>/<path>")
    of = parser.add_mutually_exclusive_group()
    of.add_argument("--project", metavar="SLUG", help="one project instead of all")
    of.add_argument("--task", metavar="ID", help="one task and what is below it")
    of.add_argument("--plan", metavar="ID", help="one plan")
    parser.add_argument("--all-versions", action="store_true", help="older versions too, as name~v1.ext")


def run(**given: Any) -> str:
    """Export, and say how much was written; what had to be left out is told and makes the command fail."""
    report = reduce(add, _exported(**given), Report())
    done = f"{report.written:,} files written to {given['folder']}, {report.unchanged:,} were as they should be."
    if not report.problems:
        return done
    told = [*report.problems[:TOLD], *(["…"] if len(report.problems) > TOLD else [])]
    raise CommandError("\n".join([f"{done} {len(report.problems):,} were left out:", *told]))


def _exported(
    *, folder: Path, project: str | None, task: str | None, plan: str | None, all_versions: bool, **rest: Any
) -> list[Report]:
    if task or plan:
        found = _task(task or plan or "", is_plan=bool(plan))
        works = works_of(found, all_versions=all_versions)
        return [export(project=found.project, works=works, folder=folder)]
    return [_whole(each, folder, all_versions) for each in _projects(project)]


def _whole(project: Project, folder: Path, all_versions: bool) -> Report:
    """Export a project; what is in the way of it is not in the way of others."""
    try:
        return export(project=project, works=works_in(project, all_versions=all_versions), folder=folder)
    except Conflict as error:
        return Report(problems=[error.message])


def _projects(slug: str | None) -> list[Project]:
    if slug is None:
        return list(Project.objects.filter(artifacts__isnull=False).distinct())
    found = list(Project.objects.filter(slug=slug))
    if not found:
        raise NotFound(f"There is no project {slug[:80]!r}.", next="The page of projects shows them, each by its slug.")
    return found


def _task(public_id: str, *, is_plan: bool) -> Task:
    tasks = Task.objects.select_related("project").filter(public_id=public_id)
    found = (tasks.plans() if is_plan else tasks).first()
    if found is None:
        raise NotFound(f"There is no {'plan' if is_plan else 'task'} {public_id[:64]!r}.", next="Send its id, whole.")
    return found
