"""All checks, in the order in which one stands on the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from orchestrator_site.connect.machine import Machine
from orchestrator_site.doctor import clients, database, environment, site
from orchestrator_site.doctor.findings import Check, Finding, found_by


def examine(machine: Machine, project: Path | None = None) -> Iterator[Finding]:
    """Look at everything and give each finding as soon as it is there."""
    checks: list[tuple[str, Check]] = [
        ("environment", environment.versions),
        ("data folder", environment.data_folder),
        ("disk", environment.disk),
        ("database", database.database),
        ("migrations", database.migrations),
        ("site", site.site),
        ("bridge by command", site.stdio),
        ("bridge by address", site.http),
        ("assistants", lambda: clients.clients(machine, project)),
    ]
    for area, check in checks:
        yield from found_by(area, check)
