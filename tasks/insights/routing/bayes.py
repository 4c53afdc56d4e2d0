"""Naive Bayes by counting: how often each word was planned for each specialist. It learns and unlearns task by task."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import exp, log

SMOOTHING = 0.3
TEMPERATURE = 2.5
"""Words are not independent: without it, nearly every answer would be certain."""


@dataclass(slots=True)
class Counts:
    """What was learned: tasks and words of each specialist, and how often it has each word. None is zero or below."""

    tasks: dict[str, int] = field(default_factory=dict)
    words: dict[str, int] = field(default_factory=dict)
    of: defaultdict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))

    @property
    def n(self) -> int:
        return sum(self.tasks.values())

    def learn(self, specialist: str, words: Mapping[str, int], *, times: int = 1) -> None:
        """Count a task; with `times=-1`, exactly what was counted is taken back."""
        _add(self.tasks, specialist, times)
        _add(self.words, specialist, times * sum(words.values()))
        for word, count in words.items():
            _add(self.of[word], specialist, times * count)

    def prior(self, specialist: str, among: int) -> float:
        """Return the logarithm of the share of a specialist in all tasks."""
        return log((self.tasks.get(specialist, 0) + SMOOTHING) / (self.n + SMOOTHING * among))

    def weights(self, specialist: str, words: Mapping[str, int]) -> dict[str, float]:
        """Return what each known word adds for a specialist. Words that nothing taught say nothing."""
        # New texts bring new words, about one in three: a count of all that differ would be one more thing to keep.
        below = self.words.get(specialist, 0) + SMOOTHING * (1 + sum(self.words.values()) / 3)
        known = ((word, count, found) for word, count in words.items() if (found := self.of.get(word)))
        return {word: count * log((found.get(specialist, 0) + SMOOTHING) / below) for word, count, found in known}


def _add(counted: dict[str, int], key: str, number: int) -> None:
    if (total := counted.get(key, 0) + number) > 0:
        counted[key] = total
    else:
        counted.pop(key, None)


def shares(scores: Mapping[str, float]) -> dict[str, float]:
    """Return scores, which are logarithms, as confidences that add up to 1."""
    highest = max(scores.values(), default=0.0)
    raised = {name: exp((score - highest) / TEMPERATURE) for name, score in scores.items()}
    total = sum(raised.values())
    return {name: value / total for name, value in raised.items()}


def best_two(confidences: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return the two surest, in an order that does not depend on how they were counted."""
    return sorted(confidences.items(), key=lambda each: (-each[1], each[0]))[:2]


def scores(counts: Counts, words: Mapping[str, int], candidates: Iterable[str]) -> dict[str, float]:
    names = list(candidates)
    return {name: counts.prior(name, len(names)) + sum(counts.weights(name, words).values()) for name in names}
