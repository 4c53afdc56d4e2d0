"""Copy the data of a running site."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from maintenance.services.backup import back_up
from orchestrator_site.kernel.output import PlainCommand
from orchestrator_site.management.errors import command_errors


class Command(PlainCommand):
    help = "Copy the data of a running site into an empty folder, and verify the copy."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", metavar="DIR", type=Path, help="a new or empty folder")

    def handle(self, *args: Any, **options: Any) -> None:
        to = options["folder"].absolute()
        with command_errors():
            made = back_up(to=to)
        for problem in made.problems:
            self.stdout.write(problem)
        if made.problems:
            raise CommandError(f"{to} holds all there is, but {len(made.problems)} contents are not whole there.")
        contents = f"{made.contents:,} contents of {made.size_bytes:,} bytes"
        self.stdout.write(f"Backed up and verified in {to}: the database, and {contents}.")
