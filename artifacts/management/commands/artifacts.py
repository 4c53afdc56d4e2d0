"""Look after delivered work from the command line."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from artifacts.management.verbs import export, reindex, verify
from maintenance.upgrades.ensure_schema import ensure_schema
from orchestrator_site.kernel.errors import OrchestratorError

VERBS: dict[str, ModuleType] = {"export": export, "reindex": reindex, "verify": verify}


class Command(BaseCommand):
    """One word says what to do."""

    help = "Look after delivered work."

    def add_arguments(self, parser: CommandParser) -> None:
        """Each word takes options of its own."""
        words = parser.add_subparsers(dest="verb", required=True, metavar="|".join(VERBS))
        for word, module in VERBS.items():
            module.options(words.add_parser(word, help=module.HELP))

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and say what was done."""
        try:
            ensure_schema()
            self.stdout.write(VERBS[options["verb"]].run(say=self.stdout.write, **options))
        except OrchestratorError as error:
            raise CommandError(f"{error.message} {error.next}".strip()) from error
