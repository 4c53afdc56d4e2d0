"""Put a handover together: a head with the hash of what is below it, and its parts."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from maintenance.handover import parts, record
from maintenance.handover.budget import fitted
from maintenance.handover.words import at, plain
from maintenance.selectors.handover_facts import Facts
from orchestrator_site.kernel.text import shortened

PARTS = (
    *(parts.next_call, parts.goals, parts.progress, parts.in_hand, parts.ready, parts.waiting),
    *(record.words, record.since, record.decisions, record.files, record.evidence, record.risks),
    *(record.rules, record.reading),
)
_NAME, _NAMED_PLANS = 60, 8
_NUMBER = 9_999_999
"""The largest number that the head leaves space for."""


@dataclass(frozen=True, slots=True)
class Document:
    """A handover that has no number yet."""

    facts: Facts
    body: str

    @property
    def sha256(self) -> str:
        return sha256(self.body.encode()).hexdigest()

    def text(self, number: int) -> str:
        return f"{_head(self.facts, number, self.sha256)}\n\n{self.body}"


def document(facts: Facts, *, max_chars: int) -> Document:
    """Write a handover of at most `max_chars` characters."""
    head = len(_head(facts, _NUMBER, "0" * 64)) + 2
    return Document(facts, fitted([part(facts) for part in PARTS], max_chars - head))


def _head(facts: Facts, number: int, digest: str) -> str:
    project, before = facts.scope.project, facts.since
    plans = ", ".join(each.plan.public_id for each in facts.plans.rows[:_NAMED_PLANS]) or "none"
    scope = f"{facts.scope.word.value} {facts.scope.subject}".rstrip()
    lines = [
        f"# 1. Handover {number}: {plain(shortened(project.name, _NAME))}",
        f"- project: {project.slug}",
        f"- scope: {scope}, {facts.level.value}",
        f"- as of: event {facts.cursor}, {at(facts.as_of)}",
        f"- previous: {f'handover {before.number}, event {before.cursor}' if before else 'none'}",
        f"- open plans: {facts.plans.total} ({plans})",
        f"- sha256 below this head: {digest}",
    ]
    return "\n".join(lines)
