"""Print a fresh sign-in link for a site that runs."""

from __future__ import annotations

from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from maintenance.upgrades.ensure_schema import ensure_schema
from orchestrator_site.accounts.links import make_link
from orchestrator_site.accounts.people import user_named
from orchestrator_site.kernel.errors import OrchestratorError
from orchestrator_site.management.errors import out_of_reach
from orchestrator_site.up.address import recall


class Command(BaseCommand):
    """Print a link that signs in once."""

    help = "Print a link that signs a person in once, within 15 minutes."

    def add_arguments(self, parser: CommandParser) -> None:
        """Say for whom and where."""
        parser.add_argument("--user", help="a user name; the owner of this machine where nothing is said")
        parser.add_argument("--address", help="where the site runs; the one that started last where nothing is said")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the link alone on stdout, so that it can be piped; anything else goes to stderr."""
        try:
            ensure_schema()
            user = user_named(options["user"])
        except OrchestratorError as error:
            raise CommandError(f"{error.message} {error.next}".strip()) from error
        except (DatabaseError, OSError) as error:
            raise out_of_reach(error) from error
        address = (options["address"] or recall()).rstrip("/")
        self.stdout.write(address + make_link(user))
        if not _answers(address):
            self.stderr.write(f"Nothing answers at {address} now. Start the site with: python manage.py up")


def _answers(address: str) -> bool:
    try:
        urlopen(f"{address}/sign-in/", timeout=3).close()  # noqa: S310  the address is the operator's own
    except HTTPError:
        return True
    except (URLError, OSError, ValueError):
        return False
    return True
