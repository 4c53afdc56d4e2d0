"""List projects, and change the folders that lead to one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from maintenance.upgrades.ensure_schema import ensure_schema
from orchestrator_site.accounts.owner import local_owner
from orchestrator_site.kernel.errors import NotFound
from orchestrator_site.kernel.output import PlainCommand
from orchestrator_site.management.errors import command_errors
from tasks.identity.actor import Actor
from tasks.models import Project
from tasks.services.edit_project import edit_project
from tasks.services.project_folders import paths_of


class Command(PlainCommand):
    help = "List projects with their folders, or change the folders that lead to one."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", nargs="?", help="the project; without it, all are listed")
        parser.add_argument("--folder", metavar="DIR", help="where its files are; '' for none")
        parser.add_argument(
            "--add", metavar="DIR", action="append", default=[], help="a further folder that leads to it"
        )
        parser.add_argument("--remove", metavar="DIR", action="append", default=[], help="one that no longer does")

    def handle(self, *args: Any, **options: Any) -> None:
        with command_errors():
            ensure_schema()
            found = Project.objects.prefetch_related("paths").order_by("slug")
            if options["slug"] is not None:
                found = found.filter(slug=options["slug"])
                if not found:
                    raise NotFound(f"There is no project {options['slug']!r}.", next="List them: manage.py project")
                self._edit(found[0], options)
            for each in found.all():
                self.stdout.write("  ".join(filter(None, (each.slug, each.root_path or "(no folder)"))))
                for path in paths_of(each):
                    self.stdout.write(f"  also {path}")

    def _edit(self, project: Project, options: dict[str, Any]) -> None:
        columns: dict[str, Any] = {}
        if options["folder"] is not None:
            columns["root_path"] = _absolute(options["folder"])
        if options["add"] or options["remove"]:
            removed = {each for path in options["remove"] for each in (path, _absolute(path))}
            kept = [path for path in paths_of(project) if path not in removed]
            columns["paths"] = [*kept, *map(_absolute, options["add"])]
        if columns:
            edit_project(project=project, actor=Actor.person(local_owner()), columns=columns)


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute()) if path else ""
