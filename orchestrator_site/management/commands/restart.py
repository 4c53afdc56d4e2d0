"""Restart what serves the data folder, without closing a connection."""

from __future__ import annotations

import getpass
import os
import signal
from contextlib import suppress
from typing import Any

from django.core.management.base import CommandError, CommandParser

from orchestrator_site.kernel.output import PlainCommand
from orchestrator_site.management.errors import command_errors
from orchestrator_site.management.running import proxies, supervisors
from orchestrator_site.up.serving import ask_supervisor


class Command(PlainCommand):
    help = "Restart the site and the assistants' servers of this data folder, without closing a connection."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", default="", metavar="TEXT", help="why, for the history")

    def handle(self, *args: Any, reason: str, **options: Any) -> None:
        if not hasattr(signal, "SIGHUP"):
            raise CommandError("This system has no signal for it. Stop `up` and start it again.")
        sites, assistants = supervisors(), proxies()
        if not sites and not assistants:
            raise CommandError("Nothing serves this data folder. Start the site: manage.py up")
        for pid in assistants:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGHUP)
        if assistants:
            self.stdout.write(f"Servers of assistants that were asked to restart: {len(assistants)}.")
        for pid in sites:
            self._restart_site(pid, reason)

    def _restart_site(self, supervisor: int, reason: str) -> None:
        with command_errors():
            facts = ask_supervisor(supervisor, who=getpass.getuser(), reason=reason)
        if problem := facts.get("problem"):
            raise CommandError(f"The site was not restarted, and goes on: {problem}")
        self.stdout.write(f"The site was restarted in {facts['seconds']:.1f} s (process {facts['pid']}).")
