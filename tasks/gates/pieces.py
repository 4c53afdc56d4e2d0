"""Evidence as it comes, before anyone says how far it can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.gates.reports import Report, UnreadableReport, read_report

FIGURES = ("exit_code", "tests", "failures", "skipped", "seconds", "place")
"""The facts that a caller may send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of evidence as it comes. An empty `gate` is the only one of the task; `report` is JUnit XML.

    It is read at once, as `read`, so that no row is locked for as long as that takes.
    """

    gate: str = ""
    passed: bool | None = None
    summary: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    output: str = ""
    report: str = ""
    fingerprint: str = ""
    commit: str = ""
    challenge: str = ""
    read: Report | UnreadableReport | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.report and self.read is None:
            object.__setattr__(self, "read", _read(self.report))


def _read(report: str) -> Report | UnreadableReport:
    try:
        return read_report(report)
    except UnreadableReport as error:
        return error


def piece_of(sent: str | Mapping[str, Any]) -> Piece:
    """Return a piece as callers send it: words alone, or an object with figures beside the texts."""
    if isinstance(sent, str):
        return Piece(summary=sent)
    given = {name: value for name, value in sent.items() if value is not None}
    facts = {name: given.pop(name) for name in FIGURES if name in given}
    return Piece(facts=facts, **given)
