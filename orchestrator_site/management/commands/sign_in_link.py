"""Print a new sign-in link for a running site."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from maintenance.upgrades.ensure_schema import ensure_schema
from orchestrator_site.accounts.links import make_link
from orchestrator_site.accounts.owner import user_named
from orchestrator_site.kernel.output import PlainCommand
from orchestrator_site.management.errors import command_errors
from orchestrator_site.up.address import is_reachable, recall


class Command(PlainCommand):
    help = "Print a link that signs a person in once, within 15 minutes."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", help="user name (default: the owner of this machine)")
        parser.add_argument("--address", help="URL of the site (default: that of the one that started last)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the link alone on stdout, so that it can be piped."""
        self.stdout.require()
        with command_errors():
            ensure_schema()
            user = user_named(options["user"])
        address = (options["address"] or recall()).rstrip("/")
        self.stdout.write(address + make_link(user))
        if not is_reachable(f"{address}/sign-in/"):
            self.stderr.write(f"Nothing answers at {address}. Start the site with: python manage.py up")
