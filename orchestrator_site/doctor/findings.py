"""The result of a check: its area, how serious it is, what was found and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.db import DatabaseError

from orchestrator_site.connect.diffs import masked
from orchestrator_site.kernel.db_errors import fault_of
from orchestrator_site.kernel.errors import OrchestratorError


class Level(StrEnum):
    """Only a problem makes the command fail."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. Show its strings masked."""

    area: str
    level: Level
    what: str
    next: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form, without empty parts and secrets."""
        parts = {"area": self.area, "level": self.level.value, "what": masked(self.what), "next": masked(self.next)}
        return {name: part for name, part in {**parts, "facts": self.facts}.items() if part}


def ok(area: str, what: str, **facts: Any) -> Finding:
    return Finding(area, Level.OK, what, facts=facts)


def warning(area: str, what: str, next: str, **facts: Any) -> Finding:
    return Finding(area, Level.WARNING, what, next, facts)


def problem(area: str, what: str, next: str = "", **facts: Any) -> Finding:
    return Finding(area, Level.PROBLEM, what, next, facts)


Check = Callable[[], Iterable[Finding]]


def run_check(area: str, check: Check) -> list[Finding]:
    """Run a check; an error that stops it is a finding too."""
    findings: list[Finding] = []
    try:
        findings.extend(check())
    except OrchestratorError as error:
        findings.append(problem(area, error.message, error.next))
    except DatabaseError as error:
        why = " ".join(str(error).split()).rstrip(".?")
        cure = fault.cure if (fault := fault_of(error)) else "Check that it is running"
        findings.append(problem(area, f"The database does not respond: {why}.", f"{cure}."))
    except OSError as error:
        why = error.strerror or str(error)
        findings.append(problem(area, f"{error.filename or 'System error'}: {why}.", "Check its permissions."))
    return findings
