"""Connect an assistant to this installation."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import CommandError, CommandParser

from maintenance.upgrades.ensure_schema import ensure_schema
from orchestrator_site.accounts.owner import local_owner
from orchestrator_site.connect import diffs, documents, hooks, service
from orchestrator_site.connect.clients import CLIENTS, SERVER, Client, ConfigFile, get_client, names
from orchestrator_site.connect.entries import PLACEHOLDER, URLS, Stdio, http_entry, stdio_entry, this_installation
from orchestrator_site.connect.files import ROLES_FILE, create_roles_file
from orchestrator_site.connect.machine import project_folder, this_machine
from orchestrator_site.connect.probe import is_http_url, probe_entry
from orchestrator_site.kernel.errors import Invalid, OrchestratorError
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.output import PlainCommand
from orchestrator_site.management.errors import command_errors
from orchestrator_site.mcp.stdio.proxy import known_toolsets
from orchestrator_site.up.address import is_reachable, recall
from orchestrator_site.up.connect import quote
from tasks.services.projects import find_root, project_at

NOT_CONFIRMED = 2
"""The exit code if confirmation is needed but there is no terminal."""


class Command(PlainCommand):
    help = "Connect an assistant to this installation; without a name, list the assistants."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("client", nargs="?", choices=names(), metavar="CLIENT", help=", ".join(names()))
        add("--http", action="store_true", help="connect to the running site's URL, with a token of its own")
        add("--url", help="the URL, if it is not that of the site started last; implies --http")
        add("--scopes", default="read,write", help=f"scopes of the token: {', '.join(Scope)} (default: read,write)")
        add("--toolsets", type=known_toolsets, help="the tools to offer, such as core,artifacts (default: core)")
        add("--project", metavar="DIR", type=Path, help="for one project: its own file and its own token")
        add("--yes", action="store_true", help="write without asking")
        add("--print", action="store_true", help="only print the entry, to add it by hand")
        add("--check", action="store_true", help="test the entry in the client's file and report the result")
        add("--remove", action="store_true", help="remove the entry and revoke its token")
        add("--hooks", action="store_true", help="let Claude Code read the newest handover when it compacts or resumes")
        add("--roles", action="store_true", help="add a commented-out specialists file to the project")
        add("--write-secrets", action="store_true", help="write a database password if there is no other way")

    def handle(self, *args: Any, **options: Any) -> None:
        self.options = options
        self.machine = this_machine()
        with command_errors():
            self.project = project_folder(options["project"])
            if options["client"] is None:
                self._list()
                return
            client = get_client(options["client"])
            if options["print"]:
                self._print(client)
            elif options["check"]:
                self._check(client)
            elif options["remove"]:
                self._remove(client)
            else:
                self._connect(client)
                self._add_roles()

    # Reading

    def _list(self) -> None:
        for client in CLIENTS:
            states = map(_file_state, client.config_files(self.machine, self.project))
            state = ", ".join(filter(None, states))
            if not state:
                state = "installed, not connected" if client.is_installed(self.machine) else "not found"
            self.stdout.write(f"{client.name:<15} {client.title:<25} {state}")
        self.stdout.write(
            "\nConnect:  python manage.py connect CLIENT\nTest:     python manage.py connect CLIENT --check"
        )

    def _print(self, client: Client) -> None:
        config_files = client.config_files(self.machine, self.project)
        if self._is_http:
            config_files = [each for each in config_files if each.style.url] or config_files
        for config_file in config_files:
            self.stderr.write(f"Add this to {config_file.path}:")
            style = config_file.style
            entry = http_entry(self._url, PLACEHOLDER, style) if self._is_http else stdio_entry(self._stdio(), style)
            self.stdout.write(documents.snippet(entry, style))

    def _check(self, client: Client) -> None:
        found = [(each, service.current_entry(each)) for each in client.config_files(self.machine, self.project)]
        entries = [(config_file, entry) for config_file, entry in found if entry is not None]
        if not entries:
            paths = " or ".join(str(config_file.path) for config_file, _ in found)
            raise CommandError(f"{client.title} is not connected: no {SERVER} in {paths}. Run this without --check.")
        for config_file, entry in entries:
            self.stdout.write(f"{config_file.path}\n  {probe_entry(entry, config_file, self.machine.environ)}")

    # Writing

    def _connect(self, client: Client) -> None:
        ensure_schema()
        wanted = self._wanted(client)
        planned = service.plan(client, self.machine, wanted, self.project)
        hook = [hooks.plan_hook(self.machine, self._stdio(), self.project)] if self._with_hooks(client) else []
        pending = [each for each in [*planned, *hook] if each.is_change]
        if not pending:
            paths = " and ".join(str(each.config_file.path) for each in planned)
            self.stdout.write(f"{client.title} is already connected ({paths}).")
            return
        self._warn(client, wanted)
        if not self._confirm(pending, f"Connect {client.title}"):
            return
        backups = service.apply(planned, wanted) + service.write(hook)
        self._report(backups, pending)
        self.stdout.write(f"{client.title} is connected. {client.afterwards}")
        project = f" --project {quote([str(self.options['project'])])}" if self.options["project"] else ""
        self.stdout.write(f"Test it: python manage.py connect {client.name}{project} --check")

    def _remove(self, client: Client) -> None:
        ensure_schema()
        planned = service.plan_removal(client, self.machine, self.project)
        if client.name == hooks.CLIENT:
            hook = hooks.plan_removal(self.machine, self.project)
            planned += [hook] if hook.is_change else []
        if not planned:
            self.stdout.write(f"{client.title} is not connected.")
            return
        if not self._confirm(planned, f"Disconnect {client.title}"):
            return
        self._report(service.apply_removal(planned), planned)
        is_revoked = any(each.old_token is not None for each in planned)
        self.stdout.write(f"{client.title} is disconnected{' and its token revoked' if is_revoked else ''}.")

    def _confirm(self, planned: Iterable[service.PlannedChange], question: str) -> bool:
        for each in planned:
            self._show(each)
        if self.options["yes"]:
            return True
        if not _has_terminal():
            raise CommandError("No configuration file was written. Confirm with --yes.", returncode=NOT_CONFIRMED)
        if self._ask(f"{question}? [y/N] "):
            return True
        self.stdout.write("No configuration file was written.")
        return False

    def _ask(self, question: str) -> bool:
        self.stdout.write(question, ending="")
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def _show(self, planned: service.PlannedChange) -> None:
        path, before, after = planned.config_file.path, planned.before.text, planned.after
        if path.is_symlink():
            self.stdout.write(f"{path} is a link to {planned.before.target}, which will be changed.")
        if before == after:
            self.stdout.write(f"{path}: only the token is renewed.")
        elif planned.entry and not diffs.is_readable(before):
            self.stdout.write(f"The lines of {path} are too long to show. This will be added:")
            self.stdout.write(diffs.masked(documents.snippet(planned.entry, planned.config_file.style)))
        else:
            self.stdout.write(diffs.diff(path, before, after))

    def _warn(self, client: Client, wanted: Stdio | service.Http) -> None:
        if not client.is_installed(self.machine):
            self.stderr.write(f"{client.title} was not found on this machine. It will find the entry once installed.")
        if isinstance(wanted, service.Http):
            if not is_reachable(wanted.url):
                self.stderr.write(f"Cannot reach {wanted.url}. Start the site: python manage.py up")
            if self.project is not None:
                self.stderr.write("The file will contain a token: keep it out of version control.")
        elif (wanted.database_url or wanted.store) and not wanted.writes_secrets:
            urls = [name for name in URLS if name in wanted.store or (name == "DATABASE_URL" and wanted.database_url)]
            variables = " and ".join(urls + ["AWS_*"] * ("ORCHESTRATOR_CONTENT_URL" in wanted.store))
            self.stderr.write(f"If {variables} contain a password, set them in the assistant's environment too.")

    def _report(self, backups: Iterable[Path], planned: Iterable[service.PlannedChange]) -> None:
        for each in planned:
            self.stdout.write(f"Written: {each.config_file.path}")
        for backup in backups:
            self.stdout.write(f"Backup: {backup}")

    def _add_roles(self) -> None:
        if self.project is None and not self.options["roles"]:
            return
        named = str(self.project) if self.project else None
        try:
            folder = find_root(explicit=named, environ={}, working_directory=str(Path.cwd()))
        except Invalid as error:
            raise Invalid("Cannot determine the project folder.", next="Pass it with --project DIR.") from error
        has_roles = any((folder / ROLES_FILE.parent).glob("*.y*ml"))
        asks = not self.options["yes"] and _has_terminal() and not has_roles
        if self.options["roles"] or (asks and self._ask(f"Add a commented-out {ROLES_FILE} to {folder}? [y/N] ")):
            path = create_roles_file(folder)
            self.stdout.write(f"Written: {path}" if path else f"{folder / ROLES_FILE} already exists; it was kept.")

    # Options

    def _with_hooks(self, client: Client) -> bool:
        if self.options["hooks"] and client.name != hooks.CLIENT:
            raise Invalid(f"--hooks: {client.title} has no such hooks.", next=f"Only for {hooks.CLIENT}.")
        return bool(self.options["hooks"])

    @property
    def _is_http(self) -> bool:
        return bool(self.options["http"] or self.options["url"])

    @property
    def _url(self) -> str:
        url = self.options["url"] or recall()
        if not is_http_url(url):
            raise Invalid(f"--url: {url[:200]!r} is not an HTTP URL.", next="Example: --url https://board.example/mcp")
        parts = urlsplit(url)
        return url if parts.path.strip("/") else parts._replace(path="/mcp").geturl()

    def _stdio(self) -> Stdio:
        toolsets = self.options["toolsets"] or ""
        return this_installation(project=self.project, writes_secrets=self.options["write_secrets"], toolsets=toolsets)

    def _wanted(self, client: Client) -> Stdio | service.Http:
        if not self._is_http:
            return self._stdio()
        project = project_at(self.project) if self.project else None
        scopes = tuple(scope.strip() for scope in self.options["scopes"].split(",") if scope.strip())
        return service.Http(self._url, local_owner(), service.token_name(client, project), scopes, project)


def _file_state(config_file: ConfigFile) -> str:
    try:
        entry = service.current_entry(config_file)
    except OrchestratorError as error:
        return f"unknown: {error.message}"
    if entry is None:
        return ""
    return "connected over stdio" if "command" in entry else "connected over HTTP"


def _has_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()
