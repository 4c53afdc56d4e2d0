"""Connect an assistant to this installation."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from maintenance.upgrades.ensure_schema import ensure_schema
from orchestrator_site.accounts.owner import local_owner
from orchestrator_site.connect import diffs, documents, roles, service
from orchestrator_site.connect.check import try_entry
from orchestrator_site.connect.clients import CLIENTS, SERVER, Client, Place, client_named, names
from orchestrator_site.connect.entries import PLACEHOLDER, Stdio, http_entry, stdio_entry, this_installation
from orchestrator_site.connect.machine import Machine, project_folder, this_machine
from orchestrator_site.connect.probe import is_http_url
from orchestrator_site.kernel.errors import Invalid, OrchestratorError
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.management.errors import out_of_reach
from orchestrator_site.mcp.stdio.proxy import known_toolsets
from orchestrator_site.up.address import recall
from orchestrator_site.up.connect import quote
from tasks.services.projects import find_root, project_at

NOT_CONFIRMED = 2
"""The exit code where something would be written and nobody can be asked."""


class Command(BaseCommand):
    """Write, try or take out the entry of one assistant."""

    help = "Connect an assistant to this installation; without a name, list those that are here."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Say whom, how and where."""
        add = parser.add_argument
        add("client", nargs="?", choices=names(), metavar="CLIENT", help=", ".join(names()))
        add("--http", action="store_true", help="by the address of the running site, with a token of its own")
        add("--url", help="the address, where it is not that of the site that started last; means --http")
        add("--scopes", default="read,write", help=f"what the token may do: {', '.join(Scope)} (default: read,write)")
        add("--toolsets", type=known_toolsets, help="which tools to offer, as core,artifacts (default: core)")
        add("--project", metavar="DIR", type=Path, help="for one project: its own file, its own token")
        add("--yes", action="store_true", help="write without asking")
        add("--print", action="store_true", help="only print the entry, to be put in by hand")
        add("--check", action="store_true", help="try what stands in the client's file, and say what is seen")
        add("--remove", action="store_true", help="take the entry out and revoke its token")
        add("--roles", action="store_true", help="put a commented file of specialists into the project")
        add("--write-secrets", action="store_true", help="write a database's password where there is no other way")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do one of the five things, and say every error in one line."""
        self.options = options
        self.machine = this_machine()
        try:
            self.project = project_folder(options["project"])
            self._dispatch()
        except OrchestratorError as error:
            raise CommandError(service.said(error)) from error
        except (DatabaseError, OSError) as error:
            raise out_of_reach(error) from error

    def _dispatch(self) -> None:
        if self.options["client"] is None:
            self._list()
            return
        client = client_named(self.options["client"])
        if self.options["print"]:
            self._print(client)
        elif self.options["check"]:
            self._check(client)
        elif self.options["remove"]:
            self._remove(client)
        else:
            self._connect(client)
            self._offer_roles()

    # Looking

    def _list(self) -> None:
        for client in CLIENTS:
            state = _state(client, self.machine, self.project)
            self.stdout.write(f"{client.name:<15} {client.title:<25} {state}")
        self.stdout.write("\nConnect one:  python manage.py connect CLIENT\nTry it:       … connect CLIENT --check")

    def _print(self, client: Client) -> None:
        places = client.places(self.machine, self.project)
        wanted = [place for place in places if place.style.url] or places if self._is_http else places
        for place in wanted:
            self.stderr.write(f"This belongs into {place.path}:")
            if self._is_http:
                entry = http_entry(self._url, PLACEHOLDER, place.style)
            else:
                entry = stdio_entry(self._stdio(), place.style)
            self.stdout.write(documents.block(entry, place.style))

    def _check(self, client: Client) -> None:
        found = [(place, service.present_entry(place)) for place in client.places(self.machine, self.project)]
        entries = [(place, entry) for place, entry in found if entry is not None]
        if not entries:
            where = " or ".join(str(place.path) for place, _ in found)
            raise CommandError(f"{client.title} is not connected: no {SERVER} in {where}. Leave --check out first.")
        for place, entry in entries:
            self.stdout.write(f"{place.path}\n  {try_entry(entry, place, self.machine.environ)}")

    # Changing

    def _connect(self, client: Client) -> None:
        ensure_schema()
        wanted = self._wanted(client)
        planned = service.plan(client, self.machine, wanted, self.project)
        pending = [each for each in planned if each.is_change]
        if not pending:
            paths = " and ".join(str(each.place.path) for each in planned)
            self.stdout.write(f"{client.title} is connected already ({paths}); nothing to write.")
            return
        self._say_first(client, wanted)
        if not self._confirm(pending, f"Connect {client.title}"):
            return
        self._say_done(service.apply(planned, wanted), pending)
        self.stdout.write(f"{client.title} is connected. {client.afterwards}")
        self.stdout.write(f"Try it: python manage.py connect {client.name}{self._project_words} --check")

    def _remove(self, client: Client) -> None:
        ensure_schema()
        planned = service.plan_removal(client, self.machine, self.project)
        if not planned:
            self.stdout.write(f"{client.title} is not connected; nothing to take out.")
            return
        if not self._confirm(planned, f"Disconnect {client.title}"):
            return
        self._say_done(service.apply_removal(planned), planned)
        revoked = any(each.former is not None for each in planned)
        self.stdout.write(f"{client.title} is disconnected{', its token revoked' if revoked else ''}.")

    def _confirm(self, planned: Iterable[service.Planned], question: str) -> bool:
        """Show every change, then ask; raises CommandError where nobody can answer."""
        for each in planned:
            self._show(each)
        if self.options["yes"]:
            return True
        if not sys.stdin.isatty():
            raise CommandError("Nothing was written: say --yes to write this.", returncode=NOT_CONFIRMED)
        if self._says_yes(f"{question}? [y/N] "):
            return True
        self.stdout.write("Nothing was written.")
        return False

    def _says_yes(self, question: str) -> bool:
        self.stdout.write(question, ending="")
        self.stdout.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def _show(self, planned: service.Planned) -> None:
        path, before, after = planned.place.path, planned.before.text, planned.after
        if path.is_symlink():
            self.stdout.write(f"{path} is a link to {planned.before.target}, which is changed.")
        if before == after:
            self.stdout.write(f"{path}: the token is renewed, nothing else changes.")
        elif planned.entry and not diffs.is_readable(before):
            self.stdout.write(f"{path} has lines too long to show. This goes into it:")
            self.stdout.write(diffs.masked(documents.block(planned.entry, planned.place.style)))
        else:
            self.stdout.write(diffs.diff(path, before, after))

    def _say_first(self, client: Client, wanted: Stdio | service.Http) -> None:
        if not client.is_installed(self.machine):
            self.stderr.write(f"{client.title} was not found on this machine; the entry waits for it.")
        if isinstance(wanted, service.Http):
            if not _answers(wanted.url):
                self.stderr.write(f"Nothing answers at {wanted.url} now. Start the site: python manage.py up")
            if self.project is not None:
                self.stderr.write("The file will hold a token: keep it out of version control.")
        elif (wanted.database_url or wanted.store) and not wanted.writes_secrets:
            names = " and ".join(["DATABASE_URL"] * bool(wanted.database_url) + ["AWS_*"] * bool(wanted.store))
            self.stderr.write(f"The assistant's environment must have {names} too, where that holds a password.")

    def _say_done(self, backups: Iterable[Path], planned: Iterable[service.Planned]) -> None:
        for each in planned:
            self.stdout.write(f"Written: {each.place.path}")
        for backup in backups:
            self.stdout.write(f"Before it was: {backup}")

    def _offer_roles(self) -> None:
        folder = self.project or (_working_project() if self.options["roles"] else None)
        if folder is None:
            if self.options["roles"]:
                raise Invalid("No project folder can be told.", next="Name it: --project DIR")
            return
        asks = not self.options["yes"] and sys.stdin.isatty() and not roles.has_roles(folder)
        if self.options["roles"] or (asks and self._says_yes(f"Put a commented {roles.FILE} into {folder}? [y/N] ")):
            put = roles.put_roles(folder)
            self.stdout.write(f"Written: {put}" if put else f"{folder / roles.FILE} is there already; it stays.")

    # What is wanted

    @property
    def _is_http(self) -> bool:
        return bool(self.options["http"] or self.options["url"])

    @property
    def _url(self) -> str:
        return _bridge_at(self.options["url"] or recall())

    @property
    def _project_words(self) -> str:
        return f" --project {quote([str(self.options['project'])])}" if self.options["project"] else ""

    def _stdio(self) -> Stdio:
        return this_installation(
            project=self.project,
            writes_secrets=self.options["write_secrets"],
            toolsets=self.options["toolsets"] or "",
        )

    def _wanted(self, client: Client) -> Stdio | service.Http:
        if not self._is_http:
            return self._stdio()
        project = project_at(self.project) if self.project else None
        scopes = tuple(scope.strip() for scope in self.options["scopes"].split(",") if scope.strip())
        return service.Http(self._url, local_owner(), service.token_name(client, project), scopes, project)


def _bridge_at(url: str) -> str:
    """Return where the bridge of a site is; raises Invalid for what is no address."""
    if not is_http_url(url):
        raise Invalid(f"--url: {url[:200]!r} is no address.", next="Write all of it: --url https://board.example/mcp")
    parts = urlsplit(url)
    return url if parts.path.strip("/") else parts._replace(path="/mcp").geturl()


def _working_project() -> Path | None:
    try:
        return find_root(explicit=None, environ={}, working_directory=str(Path.cwd()))
    except Invalid:
        return None


def _state(client: Client, machine: Machine, project: Path | None) -> str:
    found = [_how(place) for place in client.places(machine, project)]
    if connected := [how for how in found if how]:
        return ", ".join(connected)
    return "here, not connected" if client.is_installed(machine) else "not found"


def _how(place: Place) -> str:
    try:
        entry = service.present_entry(place)
    except OrchestratorError as error:
        return f"cannot be told: {error.message}"
    if entry is None:
        return ""
    return "connected by its command" if "command" in entry else "connected by address"


def _answers(url: str) -> bool:
    try:
        urlopen(url, timeout=3).close()  # noqa: S310  the address is the operator's own
    except HTTPError:
        return True
    except (URLError, OSError, ValueError):
        return False
    return True
