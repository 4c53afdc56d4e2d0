"""All checks, each after those it depends on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from orchestrator_site.connect.machine import Machine
from orchestrator_site.doctor import clients, database, environment, site
from orchestrator_site.doctor.findings import Check, Finding, run_check


def examine(machine: Machine, project: Path | None = None) -> Iterator[Finding]:
    checks: list[tuple[str, Check]] = [
        ("environment", environment.versions),
        ("data folder", environment.data_folder),
        ("disk", environment.disk),
        ("database", database.database),
        ("migrations", database.migrations),
        ("site", site.site),
        ("MCP over stdio", site.stdio),
        ("MCP over HTTP", site.http),
        ("assistants", lambda: clients.clients(machine, project)),
    ]
    for area, check in checks:
        yield from run_check(area, check)
