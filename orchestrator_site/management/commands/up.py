"""Start the site: schema, owner, web server, worker, and a greeting with the next steps."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.db import connections

from maintenance.schedules import run_soon
from maintenance.upgrades.ensure_schema import ensure_schema
from orchestrator_site.accounts.links import make_link
from orchestrator_site.accounts.owner import local_owner
from orchestrator_site.kernel import read_only
from orchestrator_site.kernel.output import PlainCommand
from orchestrator_site.management.errors import command_errors
from orchestrator_site.up.address import remember
from orchestrator_site.up.child import Child
from orchestrator_site.up.connect import connect_help
from orchestrator_site.up.local_socket import local_socket
from orchestrator_site.up.orphans import end_orphans
from orchestrator_site.up.port import LOOPBACK, address_of, public_names, take_port
from orchestrator_site.up.static_files import collect_static
from orchestrator_site.up.supervisor import Probe, Supervisor

GREETING = """\
The site is running at {address}/ (Ctrl-C stops it).

Sign in, once and within 15 minutes:
  {link}

Connect an assistant:
  {connect}
"""


class Command(PlainCommand):
    help = "Bring the database up to date, serve the site, and run its jobs until Ctrl-C."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--host", default="127.0.0.1", help="127.0.0.1 (the default), ::1 or localhost; others need TLS")
        add("--port", type=int, default=8000, help="8000 by default; 0 takes any free port")
        about = "serve plain HTTP to other machines, for anyone on the way to read and change"
        add("--insecure", action="store_true", help=about)
        jobs = parser.add_mutually_exclusive_group()
        jobs.add_argument(
            "--workers", type=int, default=settings.ORCHESTRATOR_WORKERS, help="how many jobs may run at once"
        )
        jobs.add_argument("--no-worker", dest="workers", action="store_const", const=0, help="run no jobs")

    def handle(self, *args: Any, **options: Any) -> None:
        """Take the port first, since that fails fastest; then prepare and serve."""
        # Until the supervisor takes over, SIGTERM does what Ctrl-C does.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt), command_errors("The site cannot start: {}. Fix that and start it again."):
            end_orphans()  # they may hold the port
            with (
                take_port(options["host"], options["port"], insecure=options["insecure"]) as listener,
                local_socket() as local,
            ):
                self._warn(options["host"])
                self._prepare_and_serve([listener, *local], max(0, options["workers"]))
        self.stderr.write("Stopped.")
        os._exit(0)  # finalizing the interpreter costs 0.7 s of CPU, and there is nothing left to finalize

    def _prepare_and_serve(self, listeners: list[socket.socket], workers: int) -> None:
        listener = listeners[0]
        collect_static()
        ensure_schema(schedules=True)
        if read_only.is_on():
            workers = 0  # jobs change something
        if workers:
            run_soon("heartbeat")
        address = address_of(listener)
        link = "(none, as the database is read-only)" if read_only.is_on() else address + make_link(local_owner())
        greeting = GREETING.format(address=address, link=link, connect=connect_help())
        remember(address)
        connections.close_all()
        web = Child("The web server", "orchestrator_site.up.web", listeners=listeners)
        worker = Child("The worker", "orchestrator_site.up.worker")
        agents = Child("The supervisor of agents", "orchestrator_site.up.agents", hands_over=True)
        children = [web, worker, agents] if workers else [web]
        own = [name for name in settings.ALLOWED_HOSTS if name.strip("[]") in LOOPBACK]
        probe = Probe(listener, host=next(iter([*own, *public_names()]), "localhost"))
        Supervisor(children, {"ORCHESTRATOR_WORKERS": str(workers)}, probe, lambda: self._greet(greeting)).run()

    def _warn(self, host: str) -> None:
        if host in LOOPBACK or settings.ORCHESTRATOR_TLS:
            return
        self.stderr.write("The site speaks plain HTTP to other machines: anyone on the way can read everything.")
        if not public_names():
            self.stderr.write("It answers to this machine's own names only; set ORCHESTRATOR_ALLOWED_HOSTS for others.")

    def _greet(self, greeting: str) -> None:
        self.stdout.write(greeting)
