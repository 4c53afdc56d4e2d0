"""Put rules and what was learned together, say why, and abstain where neither is sure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from tasks.insights.routing import bayes
from tasks.insights.routing.bayes import Counts
from tasks.insights.routing.rules import RULE, Rule

ENOUGH = 100
"""Tasks that a project has to have taught before its own history is asked; until then, the rules are all there is."""
RULE_WEIGHT = 3.0
USUAL = "implementer"
_FACTORS = 5
_BY_HABIT, _MOST = 0.5, 0.99
Source = Literal["rule", "learned", "both", "none", "off"]


@dataclass(frozen=True, slots=True)
class Choice:
    specialist: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Factor:
    """Why: what a title says that meets a rule, a word, how frequent a specialist is. Below 0 it is for the second."""

    kind: Literal["rule", "word", "prior"]
    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Blended:
    """Two choices. The source is `none` where no rule matched and no word is known: then only habit is left.

    `turned_by`: the factor without which the second would come first.
    """

    choices: list[Choice] = field(default_factory=list)
    source: Source = "none"
    factors: list[Factor] = field(default_factory=list)
    turned_by: Factor | None = None

    def is_unsure(self, least: float) -> bool:
        return self.source == "none" or not self.choices or self.choices[0].confidence < least


def by_rules(rules: list[Rule], counts: Counts, specialists: Collection[str]) -> Blended:
    """Answer by the first rule; the second choice is that of the next, or the most usual specialist."""
    usual = sorted(specialists, key=lambda name: (-counts.tasks.get(name, 0), name != USUAL, name))
    without = [*(rule.specialist for rule in rules[1:]), *usual]
    names = list(dict.fromkeys([*(rule.specialist for rule in rules[:1]), *without]))[:2]
    surest = rules[0].confidence if rules else _BY_HABIT
    choices = [Choice(name, share) for name, share in zip(names, (surest, (1 - surest) / 2), strict=False)]
    factors = [Factor("rule", rule.said, rule.confidence) for rule in rules[:1]]
    turning = factors[0] if factors and names[1:] == without[:1] else None
    return Blended(choices, "rule" if rules else "none", factors, turning)


def by_both(rules: list[Rule], words: Mapping[str, int], counts: Counts, specialists: Collection[str]) -> Blended:
    """Answer by what a project taught, if that is enough, and the first rule as one more reason."""
    learned = {name for name in counts.tasks if name in specialists}
    if not learned or counts.n < ENOUGH:
        return by_rules(rules, counts, specialists)
    rule = rules[0] if rules else None
    candidates = sorted(learned | ({rule.specialist} if rule else set()))
    scores = bayes.scores(counts, words, candidates)
    if rule:
        scores[rule.specialist] += RULE_WEIGHT
    choices = choices_by(scores)
    is_known = any(counts.of.get(word) for word in words if not word.startswith(RULE))
    source: Source = "both" if rule and is_known else "rule" if rule else "learned" if is_known else "none"
    first, second = [*(choice.specialist for choice in choices), ""][:2]
    factors = sorted(_factors(first, second, rule, words, counts), key=lambda each: (-abs(each.weight), each.text))
    lead = scores[first] - scores.get(second, 0)
    turning = factors[0] if second and factors and factors[0].weight > lead else None
    return Blended(choices, source, factors[:_FACTORS], turning)


def settled(by_rule: Blended, by_history: Blended, lead: int) -> Blended:
    """Let history overrule the rules only once it predicted better; on a tie it says how sure both are."""
    first, other = (each.choices[0].specialist if each.choices else "" for each in (by_rule, by_history))
    return by_history if lead > 0 or (lead == 0 and first == other) else by_rule


def choices_by(scores: Mapping[str, float]) -> list[Choice]:
    return [Choice(name, min(share, _MOST)) for name, share in bayes.best_two(bayes.shares(scores))]


def _factors(first: str, second: str, rule: Rule | None, words: Mapping[str, int], counts: Counts) -> list[Factor]:
    """Return what speaks for the first rather than the second; where there is no second, what taught the first."""
    if not second:
        known = ((word, counts.of[word].get(first, 0)) for word in words if word in counts.of and word[0] != RULE)
        return [Factor("word", word, float(count)) for word, count in known if count]
    against = counts.weights(second, words)
    weights = {word: weight - against[word] for word, weight in counts.weights(first, words).items()}
    ruled = sum(weights.pop(word) for word in list(weights) if word.startswith(RULE))
    if rule:
        ruled += RULE_WEIGHT * ((rule.specialist == first) - (rule.specialist == second))
    found = [Factor("word", word, weight) for word, weight in weights.items()]
    found += [Factor("rule", rule.said, ruled)] if rule and ruled else []
    return [*found, Factor("prior", first, counts.prior(first, 1) - counts.prior(second, 1))]
