"""Check this installation and report problems."""

from __future__ import annotations

import json
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from orchestrator_site.connect.diffs import masked
from orchestrator_site.connect.machine import project_folder, this_machine
from orchestrator_site.doctor import agents, clients, database, environment, site
from orchestrator_site.doctor.findings import Check, Finding, Level, run_check
from orchestrator_site.kernel.output import PlainCommand
from orchestrator_site.management.errors import command_errors


class Command(PlainCommand):
    help = "Check the environment, database, site, worker, MCP server and every assistant; exit code 1 for a problem."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON")
        parser.add_argument("--project", metavar="DIR", type=Path, help="also check this project's configurations")

    def handle(self, *args: Any, **options: Any) -> None:
        levels: Counter[Level] = Counter()
        findings = []
        with command_errors():
            project = project_folder(options["project"])
        # Each after those it depends on.
        checks: dict[str, Check] = {
            "environment": environment.versions,
            "data folder": environment.data_folder,
            "disk": environment.disk,
            "database": database.database,
            "migrations": database.migrations,
            "site": site.site,
            "service": site.service,
            "MCP over stdio": site.stdio,
            "MCP over HTTP": site.http,
            "agents": agents.agents,
            "assistants": lambda: clients.clients(this_machine(), project),
        }
        for finding in chain.from_iterable(run_check(area, check) for area, check in checks.items()):
            levels[finding.level] += 1
            findings.append(finding.as_dict())
            if not options["json"]:
                self._print(finding)
        if options["json"]:
            counts = {level.value: levels[level] for level in Level}
            self.stdout.write(json.dumps({"counts": counts, "findings": findings}, indent=2, ensure_ascii=False))
        if levels[Level.PROBLEM]:
            raise CommandError(f"{levels[Level.PROBLEM]} problem(s), {levels[Level.WARNING]} warning(s).")

    def _print(self, finding: Finding) -> None:
        self.stdout.write(f"{finding.level:<8} {finding.area:<18} {masked(finding.what)}")
        if finding.next:
            self.stdout.write(f"{'':<8} {'':<18} → {masked(finding.next)}")
