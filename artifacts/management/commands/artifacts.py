"""Export, verify and reindex artifacts from the command line."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from django.core.management.base import CommandError, CommandParser

from artifacts.management.verbs import export, reindex, verify
from maintenance.upgrades.ensure_schema import ensure_schema
from orchestrator_site.kernel.errors import OrchestratorError
from orchestrator_site.kernel.output import PlainCommand

VERBS: dict[str, ModuleType] = {"export": export, "reindex": reindex, "verify": verify}


class Command(PlainCommand):
    help = "Export, verify and reindex artifacts."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="|".join(VERBS))
        for verb, module in VERBS.items():
            module.options(verbs.add_parser(verb, help=module.HELP))

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            ensure_schema()
            self.stdout.write(VERBS[options["verb"]].run(say=self.stdout.write, **options))
        except OrchestratorError as error:
            raise CommandError(f"{error.message} {error.next}".strip()) from error
