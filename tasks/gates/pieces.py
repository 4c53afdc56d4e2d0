"""Evidence as it comes, before anyone says how far it can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FIGURES = ("exit_code", "tests", "failures", "skipped", "seconds", "place")
"""The facts that a caller may send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of evidence as it comes. An empty `gate` is the only one of the task; `report` is JUnit XML."""

    gate: str = ""
    passed: bool | None = None
    summary: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    output: str = ""
    report: str = ""
    fingerprint: str = ""
    commit: str = ""
    challenge: str = ""


def piece_of(sent: str | Mapping[str, Any]) -> Piece:
    """Return a piece as callers send it: words alone, or an object with figures beside the texts."""
    if isinstance(sent, str):
        return Piece(summary=sent)
    given = {name: value for name, value in sent.items() if value is not None}
    facts = {name: given.pop(name) for name in FIGURES if name in given}
    return Piece(facts=facts, **given)
