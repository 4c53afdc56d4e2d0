"""Start the site: schema, owner, web server, and the words to go on with."""

from __future__ import annotations

import socket
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connections

from maintenance.upgrades.ensure_schema import ensure_schema
from orchestrator_site.accounts.links import make_link
from orchestrator_site.accounts.owner import local_owner
from orchestrator_site.up.address import remember
from orchestrator_site.up.connect import claude_code_line
from orchestrator_site.up.port import address_of, take_port
from orchestrator_site.up.server import end_like_ctrl_c, serve
from tasks.errors import OrchestratorError

GREETING = """\
The site runs at {address}/ (Ctrl-C ends it).

Sign in, once and within 15 minutes:
  {link}

Connect Claude Code:
  {connect}
"""


class Command(BaseCommand):
    """Serve the site on this machine."""

    help = "Bring the database up to date and serve the site on this machine until Ctrl-C."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Say where to listen."""
        parser.add_argument("--host", default="127.0.0.1", help="127.0.0.1 (the default), ::1 or localhost")
        parser.add_argument("--port", type=int, default=8000, help="8000 where nothing is said; 0 takes any free one")

    def handle(self, *args: Any, **options: Any) -> None:
        """Take the port first, since that fails fastest; then make ready and serve."""
        end_like_ctrl_c()
        try:
            with take_port(options["host"], options["port"]) as listener:
                self._prepare_and_serve(listener)
        except KeyboardInterrupt:
            self.stderr.write("Stopped.")
        except OrchestratorError as error:
            raise CommandError(f"{error.message} {error.next}".strip()) from error
        except (DatabaseError, OSError) as error:
            raise CommandError(f"The site cannot start: {error}. Mend that and start it again.") from error

    def _prepare_and_serve(self, listener: socket.socket) -> None:
        ensure_schema()
        address = address_of(listener)
        greeting = GREETING.format(address=address, link=address + make_link(local_owner()), connect=claude_code_line())
        remember(address)
        connections.close_all()  # requests run in threads, which have connections of their own
        serve(listener, on_start=lambda: self._greet(greeting))

    def _greet(self, greeting: str) -> None:
        """Flush, so that whoever reads the output through a pipe sees it now."""
        self.stdout.write(greeting)
        self.stdout.flush()
