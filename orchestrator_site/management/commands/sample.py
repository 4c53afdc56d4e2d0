"""Load the sample project."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from maintenance.upgrades.ensure_schema import ensure_schema
from orchestrator_site.accounts.people import user_named
from orchestrator_site.sample.load import load_sample
from orchestrator_site.up.address import recall
from tasks.actors import Actor
from tasks.errors import OrchestratorError


class Command(BaseCommand):
    """Load the sample project, as the button on the empty home page does."""

    help = "Load the sample project, to look around in; once more gives the one that is there."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print where it is."""
        try:
            ensure_schema()
            project = load_sample(actor=Actor.person(user_named(None)))
        except OrchestratorError as error:
            raise CommandError(f"{error.message} {error.next}".strip()) from error
        self.stdout.write(recall().rstrip("/") + reverse("project", args=[project.slug]))
