"""Say what is well with this installation and what is not."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orchestrator_site.connect.diffs import masked
from orchestrator_site.connect.machine import project_folder, this_machine
from orchestrator_site.doctor.examine import examine
from orchestrator_site.doctor.findings import Finding, Level
from orchestrator_site.kernel.errors import OrchestratorError


class Command(BaseCommand):
    """Examine everything; exit code 1 where there is a problem."""

    help = "Look at the environment, database, worker, site, bridge and every assistant; exit code 1 for a problem."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Say how it is told, and whether a project's files are looked at as well."""
        parser.add_argument("--json", action="store_true", help="as JSON, for programs")
        parser.add_argument("--project", metavar="DIR", type=Path, help="look at this project's configurations too")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print every finding as soon as it is there; a problem makes the command fail."""
        levels: Counter[Level] = Counter()
        findings = []
        for finding in examine(this_machine(), _project(options["project"])):
            levels[finding.level] += 1
            findings.append(finding.as_dict())
            if not options["json"]:
                self._say(finding)
        if options["json"]:
            counts = {level.value: levels[level] for level in Level}
            self.stdout.write(json.dumps({"counts": counts, "findings": findings}, indent=2, ensure_ascii=False))
        if levels[Level.PROBLEM]:
            raise CommandError(f"{levels[Level.PROBLEM]} problem(s), {levels[Level.WARNING]} warning(s).")

    def _say(self, finding: Finding) -> None:
        self.stdout.write(f"{finding.level:<8} {finding.area:<18} {masked(finding.what)}")
        if finding.next:
            self.stdout.write(f"{'':<8} {'':<18} → {masked(finding.next)}")
        self.stdout.flush()


def _project(path: Path | None) -> Path | None:
    try:
        return project_folder(path)
    except OrchestratorError as error:
        raise CommandError(f"{error.message} {error.next}") from error
