"""Upgrade the database by hand: look first, try on a copy, do what waits for a person, and go back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DEFAULT_DB_ALIAS, connections

from maintenance.choices import UpgradeOutcome
from maintenance.upgrades.failure import Attempt
from maintenance.upgrades.history import history
from maintenance.upgrades.locks import schema_lock
from maintenance.upgrades.places import sqlite_file
from maintenance.upgrades.plan import sql_of, steps_of
from maintenance.upgrades.upgrade import dry_run, planned, restore, upgrade
from maintenance.upgrades.verify import verify
from orchestrator_site.kernel import read_only
from orchestrator_site.kernel.errors import Conflict, NotFound
from orchestrator_site.kernel.output import PlainCommand
from orchestrator_site.management.errors import command_errors
from orchestrator_site.management.running import proxies, supervisors
from orchestrator_site.web.templatetags.formats import count_of

_OF_GAP = "-- The database lacks it, since it was added to a migration that had been applied."


class Command(PlainCommand):
    help = "Upgrade the database after a backup, as every start does; nothing that removes or narrows without --apply."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        ways = parser.add_mutually_exclusive_group()
        for name, about in (
            ("apply", "also do what removes or narrows, and try again what failed"),
            ("plan", "show what is missing, its SQL, and what of it removes or narrows"),
            ("dry-run", "upgrade a copy of the database, and delete it"),
            ("verify-only", "check the database, its foreign keys, and the files of its migrations"),
            ("history", "show the upgrades so far"),
        ):
            ways.add_argument(f"--{name}", const=name, help=about, action="store_const", dest="way")
        ways.add_argument("--restore", metavar="BACKUP", help="write a backup over the database; stop everything first")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, way: str | None, **options: Any) -> None:
        self._json, self._connection = options["json"], connections[DEFAULT_DB_ALIAS]
        ways: dict[str | None, Callable[[], None]] = {
            None: lambda: self._upgrade(by_hand=False),
            "apply": lambda: self._upgrade(by_hand=True),
            "plan": self._plan,
            "dry-run": lambda: self._show(dry_run(self._connection), "Tried on a copy"),
            "verify-only": self._verify,
            "history": self._history,
        }
        with command_errors("The database cannot be upgraded: {}. Look closer: manage.py doctor"):
            if options["restore"] is not None:
                self._restore(options["restore"])
                return
            if way not in (None, "apply"):
                self._require_database()
            ways[way]()

    def _require_database(self) -> None:
        """Looking would make an empty file."""
        file = sqlite_file(self._connection)
        if file is not None and not Path(file).is_file():
            raise NotFound("There is no database yet.", next="The first start makes it: manage.py up")

    def _upgrade(self, *, by_hand: bool) -> None:
        with schema_lock(self._connection):
            self._show(upgrade(self._connection, by_hand=by_hand), "Upgraded")

    def _restore(self, backup: str) -> None:
        if running := [*supervisors(), *proxies()]:
            raise Conflict(
                f"The data folder is in use (process {', '.join(map(str, running))}).",
                next="Stop the site and the assistants first: what they write now would be lost.",
            )
        done = restore(self._connection, backup=backup)
        kept = f" What was there before is in {done.backup}." if done.backup else ""
        self._print(asdict(done), f"{done.problem}{kept} Start the version that it belongs to.")

    def _plan(self) -> None:
        executor, gaps = planned(self._connection)
        steps: list[tuple[str, list[str], list[str]]] = [(gap.name, [], [_OF_GAP]) for gap in gaps]
        steps += [(step.name, step.harms, sql_of(executor, step)) for step in steps_of(executor)]
        lines = [_lines_of(*each) for each in steps] or ["Nothing to do."]
        if any(harms for _, harms, _ in steps):
            lines.append("It removes or narrows something, so no start does it: manage.py upgrade --apply")
        self._print([{"name": name, "harms": harms, "sql": sql} for name, harms, sql in steps], "\n".join(lines))

    def _verify(self) -> None:
        found = verify(self._connection)
        self._print(asdict(found), "\n".join([*found.problems, *found.warnings]) or "All is well.")
        if found.problems:
            raise CommandError(f"{len(found.problems)} problem(s), {len(found.warnings)} warning(s).")

    def _history(self) -> None:
        rows = history(self._connection)
        lines = [f"{row.started_at:%Y-%m-%d %H:%M:%S} UTC  {_line_of(row)}" for row in rows]
        self._print([asdict(row) for row in rows], "\n".join(lines) or "No upgrades so far.")

    def _show(self, done: Attempt | None, how: str) -> None:
        if read_only.is_on() and done is None:
            raise CommandError("The upgrade failed with this version. To try it again: manage.py upgrade --apply")
        if done is None:
            self._print(None, "Nothing to do.")
            return
        self._print(asdict(done), f"{how}: {_line_of(done)}")
        if done.outcome == UpgradeOutcome.FAILED:
            raise CommandError("The upgrade failed, and all of it was taken back.")

    def _print(self, facts: Any, words: str) -> None:
        self.stdout.write(json.dumps(facts, indent=2, cls=DjangoJSONEncoder) if self._json else words)


def _lines_of(name: str, harms: list[str], sql: list[str]) -> str:
    return "\n".join([name, *(f"  ! {harm}" for harm in harms), *(f"    {line}" for line in sql)])


def _line_of(done: Attempt) -> str:
    parts = [
        f"{done.outcome}, {count_of(len(done.migrations), 'migration')}, {count_of(done.rows, 'row')}",
        f"{done.seconds:.1f} s",
        f"version {done.version}",
        done.actor_name,
        f"backup {done.backup}" if done.backup else "no backup",
        done.problem,
    ]
    return "; ".join(filter(None, parts))
