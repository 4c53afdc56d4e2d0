"""Load or remove the sample project."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.urls import reverse

from maintenance.upgrades.ensure_schema import ensure_schema
from orchestrator_site.accounts.owner import user_named
from orchestrator_site.kernel.output import PlainCommand
from orchestrator_site.management.errors import command_errors
from orchestrator_site.sample.load import load_sample, remove_sample
from orchestrator_site.up.address import recall
from tasks.identity.actor import Actor


class Command(PlainCommand):
    help = "Load the sample project and print its URL, or remove it."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--remove", action="store_true", help="remove the sample project and everything in it")

    def handle(self, *args: Any, **options: Any) -> None:
        with command_errors():
            ensure_schema()
            actor = Actor.person(user_named(None))
            if not options["remove"]:
                self.stdout.write(recall().rstrip("/") + reverse("project", args=[load_sample(actor=actor).slug]))
            elif remove_sample(actor=actor):
                self.stdout.write("Sample project removed.")
            else:
                self.stdout.write("The sample project is not loaded.")
