"""`manage.py artifacts export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from artifacts.export.contents import versions_in, versions_of
from artifacts.services.export import Report, export
from orchestrator_site.kernel.errors import Conflict, NotFound
from tasks.models import Project, Task

HELP = "write artifacts as plain files, at their logical paths"
SHOWN = 50
"""How many problems are listed."""


def options(parser: CommandParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="written to: DIR/<project>/<path>")
    of = parser.add_mutually_exclusive_group()
    of.add_argument("--project", metavar="SLUG", help="one project instead of all")
    of.add_argument("--task", metavar="ID", help="one task and what is below it")
    of.add_argument("--plan", metavar="ID", help="one plan")
    parser.add_argument("--all-versions", action="store_true", help="older versions too, as name~v1.ext")


def run(
    *, folder: Path, project: str | None, task: str | None, plan: str | None, all_versions: bool, **rest: Any
) -> str:
    """Export, and report how much was written; the command fails where something had to be left out."""
    report = Report()
    if task or plan:
        found = _task(task or plan or "", is_plan=bool(plan))
        versions = versions_of(found, all_versions=all_versions)
        report.add(export(project=found.project, versions=versions, folder=folder))
    for each in _projects(project) if not (task or plan) else ():
        try:
            versions = versions_in(each, all_versions=all_versions)
            report.add(export(project=each, versions=versions, folder=folder))
        except Conflict as error:  # what is in the way of one project is not in the way of others
            report.problems.append(error.message)
    done = f"{report.written:,} files written to {folder}, {report.unchanged:,} were up to date."
    if not report.problems:
        return done
    shown = [*report.problems[:SHOWN], *(["…"] if len(report.problems) > SHOWN else [])]
    raise CommandError("\n".join([f"{done} {len(report.problems):,} were left out:", *shown]))


def _projects(slug: str | None) -> list[Project]:
    if slug is None:
        return list(Project.objects.filter(artifacts__isnull=False).distinct())
    found = list(Project.objects.filter(slug=slug))
    if not found:
        raise NotFound(f"There is no project {slug[:80]!r}.", next="The page of projects lists them by slug.")
    return found


def _task(public_id: str, *, is_plan: bool) -> Task:
    tasks = Task.objects.select_related("project").filter(public_id=public_id)
    found = (tasks.plans() if is_plan else tasks).first()
    if found is None:
        raise NotFound(f"There is no {'plan' if is_plan else 'task'} {public_id[:64]!r}.", next="Send its full id.")
    return found
