"""Run a maintenance job now, in this process."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from maintenance.registry import MINUTE, jobs
from maintenance.services.run import get_job, run
from maintenance.upgrades.ensure_schema import ensure_schema
from orchestrator_site.kernel.errors import OrchestratorError
from orchestrator_site.kernel.output import PlainCommand


class Command(PlainCommand):
    help = "Run a maintenance job now and print what it did; without a name, list the jobs."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="?", help="name of the job")

    def handle(self, *args: Any, name: str | None, **options: Any) -> None:
        """Run it even where the worker has suspended it: a person wants to see what happens."""
        if name is None:
            for job in jobs().values():
                self.stdout.write(f"{job.name:20} every {job.every // MINUTE} min   {job.purpose}")
            return
        try:
            get_job(name)
            ensure_schema()
            self.stdout.write(run(name=name, force=True))
        except OrchestratorError as error:
            raise CommandError(f"{error.message} {error.next}".strip()) from error
