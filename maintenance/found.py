"""What a check found, before it is stored or shown: plain data that selectors return and services act on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from maintenance.choices import Cause, Severity


@dataclass(frozen=True, slots=True)
class Found:
    """Something that a check found.

    `subject` names what it is about by public ids, with a space between two; with the cause it says whether two scans
    found the same. `proposal` is the verb that an apply would do (`release`, `archive`, `restore`, `purge`, `repair`);
    empty where only a person can decide, as `advice` says. `seen` is how its task was, as `state_of` gives it.
    """

    cause: Cause
    severity: Severity
    subject: str
    since: datetime
    title: str = ""
    task_pk: int | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    proposal: str = ""
    advice: str = ""
    seen: str = ""

    @property
    def order(self) -> tuple[int, datetime, str, str]:
        """The most severe first, then the oldest."""
        return (-self.severity, self.since, self.cause, self.subject)
