"""Print the newest handover of the project of a folder, for a client whose context begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.db import DatabaseError

from maintenance.handover.continuing import continuing
from maintenance.selectors.handovers import latest
from orchestrator_site.kernel.errors import OrchestratorError
from orchestrator_site.kernel.output import PlainCommand
from tasks.services.projects import find_folder, known_at


class Command(PlainCommand):
    help = "Print the newest handover of the project of a folder; nothing where there is none. Changes nothing."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project-dir", metavar="DIR", default=".", help="a folder of the project (default: here)")

    def handle(self, *args: Any, project_dir: str, **options: Any) -> None:
        """Say nothing where there is nothing to read, as this is what a new context begins with."""
        here = str(Path(project_dir).expanduser().absolute())
        try:
            project = known_at(find_folder(explicit=here, environ={}, working_directory=here))
            newest = latest(project) if project else None
        except (OrchestratorError, DatabaseError):
            return
        if newest is not None:
            self.stdout.write(continuing(newest))
