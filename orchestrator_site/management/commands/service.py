"""Run the site whenever the user signs in."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from orchestrator_site.connect import files
from orchestrator_site.connect.diffs import diff
from orchestrator_site.connect.machine import this_machine
from orchestrator_site.kernel.output import PlainCommand
from orchestrator_site.management.errors import command_errors
from orchestrator_site.up import at_sign_in

NOT_CONFIRMED = 2
"""The exit code if confirmation is needed but there is no terminal."""


class Command(PlainCommand):
    help = "Run the site whenever you sign in, by systemd, launchd or a Windows task; or say whether it does."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=("install", "status", "uninstall"))
        parser.add_argument("--port", type=int, help="port of the site (default: 8000)")
        parser.add_argument("--yes", action="store_true", help="do it without asking")

    def handle(self, *, action: str, port: int | None, yes: bool, **options: Any) -> None:
        with command_errors():
            wanted = at_sign_in.unit(this_machine(), ("--port", str(port)) if port is not None else ())
            before = files.read(wanted.path)
            if action == "install":
                self._install(wanted, before, yes=yes)
            elif before.content is None:
                self.stdout.write("Not installed: the site runs only where you start it, with manage.py up.")
            elif action == "uninstall":
                self._uninstall(wanted, before, yes=yes)
            else:
                running = "and runs" if at_sign_in.is_running(wanted) else "but does not run"
                self.stdout.write(f"Installed ({wanted.path}), {running}.")

    def _install(self, wanted: at_sign_in.Unit, before: files.Snapshot, *, yes: bool) -> None:
        if before.content is not None and before.text == wanted.text and at_sign_in.is_running(wanted):
            self.stdout.write(f"Already installed ({wanted.path}).")
            return
        self.stdout.write(diff(wanted.path, before.text, wanted.text))
        if self._confirm("Install and start it", yes=yes):
            at_sign_in.install(wanted, before)
            self.stdout.write(f"Written: {wanted.path}\nThe site starts now, and whenever you sign in.")

    def _uninstall(self, wanted: at_sign_in.Unit, before: files.Snapshot, *, yes: bool) -> None:
        self.stdout.write(diff(wanted.path, before.text, ""))
        if self._confirm("Stop and remove it", yes=yes):
            at_sign_in.uninstall(wanted)
            self.stdout.write(f"Removed: {wanted.path}")

    def _confirm(self, question: str, *, yes: bool) -> bool:
        if yes:
            return True
        if sys.stdin is None or not sys.stdin.isatty():
            raise CommandError("Nothing was changed. Confirm with --yes.", returncode=NOT_CONFIRMED)
        self.stdout.write(f"{question}? [y/N] ", ending="")
        return sys.stdin.readline().strip().lower() in ("y", "yes")
