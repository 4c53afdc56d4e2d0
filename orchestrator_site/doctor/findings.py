"""What was found: of which area, how bad it is, what it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.db import DatabaseError

from orchestrator_site.connect.diffs import masked
from orchestrator_site.kernel.errors import OrchestratorError


class Level(StrEnum):
    """How bad a finding is. Only a problem fails the command."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. No text of it holds a secret."""

    area: str
    level: Level
    what: str
    next: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return it for programs, without empty parts."""
        parts = {"area": self.area, "level": self.level.value, "what": masked(self.what), "next": masked(self.next)}
        return {name: part for name, part in {**parts, "facts": self.facts}.items() if part}


def ok(area: str, what: str, **facts: Any) -> Finding:
    """Note that something is well."""
    return Finding(area, Level.OK, what, facts=facts)


def warning(area: str, what: str, next: str, **facts: Any) -> Finding:
    """Note what may be meant so, or will be a problem one day."""
    return Finding(area, Level.WARNING, what, next, facts)


def problem(area: str, what: str, next: str = "", **facts: Any) -> Finding:
    """Note what does not work."""
    return Finding(area, Level.PROBLEM, what, next, facts)


Check = Callable[[], Iterable[Finding]]


def found_by(area: str, check: Check) -> list[Finding]:
    """Run one check to its end; what it cannot get past is a finding too."""
    findings: list[Finding] = []
    try:
        findings.extend(check())
    except OrchestratorError as error:
        findings.append(problem(area, error.message, error.next))
    except DatabaseError as error:
        said = " ".join(str(error).split()).rstrip(".?")
        findings.append(problem(area, f"The database does not answer: {said}.", "See to it that it runs."))
    except OSError as error:
        findings.append(
            problem(area, f"{error.filename or 'Something'}: {error.strerror or error}.", "See to its rights.")
        )
    return findings
