"""Start the site: schema, owner, web server, worker, and the words to go on with."""

from __future__ import annotations

import signal
import socket
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connections

from maintenance.schedules import run_soon
from maintenance.upgrades.ensure_schema import ensure_schema
from orchestrator_site.accounts.links import make_link
from orchestrator_site.accounts.owner import local_owner
from orchestrator_site.kernel.errors import OrchestratorError
from orchestrator_site.management.errors import reason_of
from orchestrator_site.up.address import remember
from orchestrator_site.up.child import Child
from orchestrator_site.up.connect import connect_help
from orchestrator_site.up.leftovers import end_leftovers
from orchestrator_site.up.port import LOOPBACK, address_of, public_names, take_port
from orchestrator_site.up.supervisor import Answer, Supervisor

GREETING = """\
The site runs at {address}/ (Ctrl-C ends it).

Sign in, once and within 15 minutes:
  {link}

Connect an assistant:
  {connect}
"""


class Command(BaseCommand):
    """Serve the site and run its jobs, as children of this process that are started again when they die."""

    help = "Bring the database up to date, serve the site, and run its jobs until Ctrl-C."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Say where to listen, and how much to do beside."""
        parser.add_argument(
            "--host", default="127.0.0.1", help="127.0.0.1 (the default), ::1 or localhost; others need TLS"
        )
        parser.add_argument("--port", type=int, default=8000, help="8000 where nothing is said; 0 takes any free one")
        parser.add_argument(
            "--insecure", action="store_true", help="serve plain HTTP to others as well: they can read everything"
        )
        jobs = parser.add_mutually_exclusive_group()
        jobs.add_argument(
            "--workers", type=int, default=settings.ORCHESTRATOR_WORKERS, help="how many jobs run at once"
        )
        jobs.add_argument("--no-worker", dest="workers", action="store_const", const=0, help="run no jobs")

    def handle(self, *args: Any, **options: Any) -> None:
        """Take the port first, since that fails fastest; then make ready and serve."""
        # Until the supervisor takes over, SIGTERM ends everything in the way that Ctrl-C does.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            end_leftovers()  # they may hold the port
            with take_port(options["host"], options["port"], insecure=options["insecure"]) as listener:
                self._warn(options["host"])
                self._prepare_and_serve(listener, max(0, options["workers"]))
        except KeyboardInterrupt:
            pass
        except OrchestratorError as error:
            raise CommandError(f"{error.message} {error.next}".strip()) from error
        except (DatabaseError, OSError) as error:
            raise CommandError(f"The site cannot start: {reason_of(error)}. Mend that and start it again.") from error
        self.stderr.write("Stopped.")

    def _prepare_and_serve(self, listener: socket.socket, workers: int) -> None:
        ensure_schema(schedules=True)
        if workers:
            run_soon("heartbeat")
        address = address_of(listener)
        greeting = GREETING.format(address=address, link=address + make_link(local_owner()), connect=connect_help())
        remember(address)
        connections.close_all()
        answer = Answer(listener, _host_for_us(), on_answer=lambda: self._greet(greeting))
        Supervisor(_children(listener, workers), {"ORCHESTRATOR_WORKERS": str(workers)}, answer).run()

    def _warn(self, host: str) -> None:
        """Say what it means to serve others without TLS."""
        if host in LOOPBACK or settings.ORCHESTRATOR_TLS:
            return
        self.stderr.write("The site speaks plain HTTP to other machines: whoever is on the way can read everything.")
        if not public_names():
            self.stderr.write("It answers to this machine's own names only; set ORCHESTRATOR_ALLOWED_HOSTS to others.")

    def _greet(self, greeting: str) -> None:
        """Flush, so that whoever reads the output through a pipe sees it now."""
        self.stdout.write(greeting)
        self.stdout.flush()


def _children(listener: socket.socket, workers: int) -> list[Child]:
    web = Child("The web server", "orchestrator_site.up.web", str(listener.fileno()), listener=listener)
    return [web, Child("The worker", "orchestrator_site.up.worker")] if workers else [web]


def _host_for_us() -> str:
    """Return a name under which the site answers to ourselves."""
    ours = [name for name in settings.ALLOWED_HOSTS if name.strip("[]") in LOOPBACK]
    return next(iter([*ours, *public_names()]), "localhost")
