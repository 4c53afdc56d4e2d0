"""Run a command of the project's settings, and report what came of it as evidence for a gate."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError, connection

from maintenance.upgrades.ensure_schema import ensure_schema
from orchestrator_site.attest.board import Board, Judged, chosen
from orchestrator_site.attest.local import HOW_TO_GET_ONE, LocalBoard, gated
from orchestrator_site.attest.observation import Observed, observe, pieces_of
from orchestrator_site.attest.place import folder_here, project_here
from orchestrator_site.attest.remote import RemoteBoard
from orchestrator_site.attest.unsent import keep, read_again
from orchestrator_site.kernel.errors import Forbidden, Invalid, ServerFault
from orchestrator_site.kernel.output import PlainCommand
from orchestrator_site.management.errors import command_errors

LATE, INTERRUPTED = 124, 130
"""Exit codes, as `timeout` and shells have them."""


class Command(PlainCommand):
    help = "Run a command that the project's settings name, here, and report it as evidence for a gate of a task."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("name", nargs="?", metavar="NAME", help="the command, as the project's settings name it")
        add("--task", metavar="ID", help="for this task (default: the one at work that has such a gate)")
        add("--gate", help="for this gate only (default: all that the command may meet)")
        add("--project", metavar="DIR", type=Path, help="the project's folder (default: this one)")
        add("--site", metavar="URL", help="report to a site elsewhere (default: this installation)")
        add("--token-file", metavar="FILE", type=Path, help="read the access token here, not from the environment")
        add("--list", action="store_true", help="list the commands, and the gates of tasks at work")
        add("--from", dest="unsent", metavar="FILE", type=Path, help="report a run that could not be reported")

    def handle(self, *args: Any, **options: Any) -> None:
        self.options = options
        with command_errors():
            if options["list"]:
                self._list()
            elif options["unsent"]:
                task_id, pieces = read_again(options["unsent"])
                judged = self._board(task_id).give(task_id, pieces)
                options["unsent"].unlink(missing_ok=True)
                self._end(judged, task_id, 0)
            elif not options["name"]:
                raise Invalid("Name a command.", next="See them: manage.py attest --list")
            else:
                self._attest(options["name"])

    def _list(self) -> None:
        if self.options["site"]:
            board = self._board(self.options["task"])
            commands, tasks = board.commands(), board.gated(self.options["task"])
        else:
            ensure_schema()
            project = project_here(self.options["project"])
            commands, tasks = project.commands, gated(project, self.options["task"])
        for name, command in sorted(commands.items()):
            self.stdout.write(f"{name:<20} {' '.join(command['argv'])}")
        if not commands:
            self.stderr.write("The project's settings name no commands; a person adds them there.")
        for task in tasks:
            self.stdout.write(f"{task.task_id:<20} {', '.join(gate['name'] for gate in task.gates)}  ({task.title})")

    def _attest(self, name: str) -> None:
        board = self._board(self.options["task"])
        task, gates = chosen(board, name, self.options["task"], self.options["gate"])
        asked = [board.ask(task.task_id, gate, name) for gate in gates]
        folder = self._folder()
        reports = [command["report"] for command in board.commands().values() if command.get("report")]
        self.stderr.write(f"Runs in {folder}: {json.dumps(asked[0].argv)}")
        try:
            observed = observe(asked[0], folder=folder, besides=reports, environ=os.environ, show=_show)
        except KeyboardInterrupt:
            raise CommandError("Interrupted. Nothing was reported.", returncode=INTERRUPTED) from None
        connection.health_check_done = False  # type: ignore[attr-defined]  # the command may have taken longer than a server keeps it
        self._report(board, task.task_id, pieces_of(observed, asked, folder), observed)

    def _report(self, board: Board, task_id: str, pieces: list[dict[str, Any]], observed: Observed) -> None:
        code = observed.ran.exit_code
        ended = "ran too long" if code is None else f"ended with exit code {code}"
        self.stderr.write(f"{self.options['name']} {ended} after {observed.ran.seconds} s.")
        try:
            judged = board.give(task_id, pieces)
        except (ServerFault, DatabaseError, OSError) as error:
            raise CommandError(self._how_to_report(task_id, pieces, error)) from error
        self._end(judged, task_id, LATE if code is None else code)

    def _how_to_report(self, task_id: str, pieces: Sequence[Mapping[str, Any]], error: Exception) -> str:
        why = getattr(error, "message", "") or f"{error.__class__.__name__}."
        try:
            file = keep(task_id, pieces)
        except OSError:
            return f"It could not be reported: {why} Nor could it be kept, so run it again."
        site = f" --site {self.options['site']}" if self.options["site"] else ""
        return f"It could not be reported: {why} Report it within 15 minutes: manage.py attest{site} --from {file}"

    def _end(self, judged: Sequence[Judged], task_id: str, code: int) -> None:
        """Say what the gates say, and exit as the command did; with 1 where that ended well and a gate is not met."""
        for each in judged:
            said = "is met." if each.met else f"is not met: {each.why_not}. {each.next}".strip()
            self.stderr.write(f"{task_id}: the gate {each.gate} {said}")
        unmet = any(not each.met for each in judged)
        if code or unmet:
            sys.exit(code if 0 < code < 256 else 128 - code if code < 0 else 1)

    def _board(self, task_id: str | None) -> Board:
        secret = self._secret()
        if self.options["site"]:
            return RemoteBoard(self.options["site"], secret, task_id)
        ensure_schema()
        return LocalBoard(project_here(self.options["project"]), secret)

    def _secret(self) -> str:
        if file := self.options["token_file"]:
            secret = file.read_text(encoding="utf-8", errors="replace").strip()
        else:
            secret = settings.ORCHESTRATOR_ATTEST_TOKEN
        if not secret:
            raise Forbidden("This needs an access token with the scope attest.", next=HOW_TO_GET_ONE)
        return str(secret)

    def _folder(self) -> Path:
        project = None if self.options["site"] else project_here(self.options["project"])
        return folder_here(self.options["project"], project)


def _show(chunk: bytes) -> None:
    """Pass on what the command prints as it is; who reads it may have gone."""
    rest = memoryview(chunk)
    with suppress(OSError):
        while rest:
            rest = rest[os.write(1, rest) :]
