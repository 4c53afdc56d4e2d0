"""Import the export that a purge has written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from maintenance.services.import_plan import import_plan
from maintenance.upgrades.ensure_schema import ensure_schema
from orchestrator_site.kernel.errors import OrchestratorError
from orchestrator_site.kernel.output import PlainCommand
from tasks.identity.actor import Actor
from tasks.models import Project


class Command(PlainCommand):
    help = "Import the export of a purged plan; it is archived as it was, and can be restored then."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the zip, below ORCHESTRATOR_HOME/exports")
        parser.add_argument("--project", required=True, metavar="SLUG", help="the project that gets it")

    def handle(self, *args: Any, file: Path, project: str, **options: Any) -> None:
        ensure_schema()
        found = Project.objects.filter(slug=project).first()
        if found is None:
            raise CommandError(f"There is no project {project!r}.")
        try:
            plan = import_plan(project=found, export=file, actor=Actor.system("import_plan"))
        except OrchestratorError as error:
            raise CommandError(f"{error.message} {error.next}".strip()) from error
        self.stdout.write(f"Imported {plan.public_id}: {plan.title}. It is archived until you restore it.")
