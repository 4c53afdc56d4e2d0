"""Print a new sign-in link for a running site."""

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
    help = "Print a link that signs a person in once, within 15 minutes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", help="user name (default: the owner of this machine)")
        parser.add_argument("--address", help="URL of the site (default: that of the one that started last)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the link alone on stdout, so that it can be piped."""
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
            self.stderr.write(f"Nothing answers at {address}. Start the site with: python manage.py up")


def _answers(address: str) -> bool:
    try:
        urlopen(f"{address}/sign-in/", timeout=3).close()  # noqa: S310  the address is the operator's own
    except HTTPError:
        return True
    except (URLError, OSError, ValueError):
        return False
    return True
