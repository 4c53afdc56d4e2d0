"""Look after delivered work from the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from artifacts.search.index import reindex
from maintenance.upgrades.ensure_schema import ensure_schema
from tasks.errors import OrchestratorError


class Command(BaseCommand):
    """One word says what to do."""

    help = "Look after delivered work."

    def add_arguments(self, parser: CommandParser) -> None:
        """Each word takes options of its own."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="reindex")
        verbs.add_parser(
            "reindex", help="write what search knows anew, from what is stored; searching goes on meanwhile"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and say in a sentence what was done."""
        verbs: dict[str, Callable[..., str]] = {"reindex": self._reindex}
        try:
            ensure_schema()
            self.stdout.write(verbs[options["verb"]](**options))
        except OrchestratorError as error:
            raise CommandError(f"{error.message} {error.next}".strip()) from error

    def _reindex(self, **options: Any) -> str:
        return f"Indexed {reindex():,} tasks and artifacts."
