"""Predictions before the choice is learned: what would be suggested, beside simpler methods on the same task."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tasks.insights.choices import Method
from tasks.insights.routing.bayes import Counts, best_two
from tasks.insights.routing.blend import USUAL, Choice, by_both, by_rules, settled
from tasks.insights.routing.rules import matching

KEYWORDS = {
    "architect": ("design", "architect", "structure", "schema", "interface", "system"),
    "implementer": ("implement", "add", "create", "build", "code", "develop", "feature"),
    "debugger": ("fix", "bug", "error", "debug", "crash", "issue", "fail"),
    "documenter": ("document", "readme", "guide", "write", "tutorial", "manual"),
    "reviewer": ("review", "audit", "check", "quality", "inspect"),
    "tester": ("test", "verify", "validate", "coverage", "qa"),
    "researcher": ("research", "investigate", "analyze", "compare", "explore", "evaluate"),
}
"""What others look for anywhere in a text, and count."""


@dataclass(frozen=True, slots=True)
class Prediction:
    choices: list[Choice]
    is_unsure: bool = False

    @property
    def confidence(self) -> float:
        return self.choices[0].confidence if self.choices else 0.0

    @property
    def tenth(self) -> int:
        return int(self.confidence * 10)

    def names(self, specialist: str) -> bool:
        return bool(self.choices) and self.choices[0].specialist == specialist

    def names_second(self, specialist: str) -> bool:
        return len(self.choices) > 1 and self.choices[1].specialist == specialist


def predict(
    text: tuple[str, str],
    words: Mapping[str, int],
    counts: Counts,
    specialists: Collection[str],
    *,
    lead: int,
    least: float,
) -> dict[Method, Prediction]:
    """Return the prediction of each method. `lead`: how many more history had right than the rules so far."""
    title, description = text
    rules = matching(title, specialists)
    by = {
        Method.RULES: by_rules(rules, counts, specialists),
        Method.LEARNED: by_both(rules, words, counts, specialists),
    }
    by[Method.SUGGESTED] = settled(by[Method.RULES], by[Method.LEARNED], lead)
    found = {method: Prediction(blended.choices, blended.is_unsure(least)) for method, blended in by.items()}
    found[Method.MAJORITY] = Prediction(_shares(counts.tasks))
    found[Method.KEYWORDS] = Prediction(_shares(_keywords(f"{title}\n{description}".lower())))
    return found


def _keywords(text: str) -> dict[str, int]:
    found = {name: sum(text.count(word) for word in words) for name, words in KEYWORDS.items()}
    return {name: count for name, count in found.items() if count}


def _shares(counted: Mapping[str, int]) -> list[Choice]:
    total = sum(counted.values())
    if not total:
        return [Choice(USUAL, 0.0)]
    return [Choice(name, min(share, 0.99)) for name, share in best_two({k: n / total for k, n in counted.items()})]
