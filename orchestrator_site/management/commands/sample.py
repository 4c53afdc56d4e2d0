"""Load the sample project, or remove it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from maintenance.upgrades.ensure_schema import ensure_schema
from orchestrator_site.accounts.people import user_named
from orchestrator_site.kernel.errors import OrchestratorError
from orchestrator_site.sample.load import load_sample
from orchestrator_site.sample.remove import remove_sample
from orchestrator_site.up.address import recall
from tasks.identity.actor import Actor


class Command(BaseCommand):
    """Load the sample project, as the button on the empty home page does, or remove it."""

    help = "Load the sample project, to look around in; once more gives the one that is there."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take whether to remove it."""
        parser.add_argument("--remove", action="store_true", help="Remove it, with all that was done in it.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print where it is, or that it is gone."""
        try:
            ensure_schema()
            actor = Actor.person(user_named(None))
            self.stdout.write(_removed(actor) if options["remove"] else _loaded(actor))
        except OrchestratorError as error:
            raise CommandError(f"{error.message} {error.next}".strip()) from error


def _loaded(actor: Actor) -> str:
    return recall().rstrip("/") + reverse("project", args=[load_sample(actor=actor).slug])


def _removed(actor: Actor) -> str:
    return "The sample project is gone." if remove_sample(actor=actor) else "The sample project is not here."
