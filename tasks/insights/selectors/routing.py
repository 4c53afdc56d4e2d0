"""Which specialist a text is for, and why."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator_site.kernel.compiled import Compiled
from tasks.insights.models import Lesson
from tasks.insights.routing.blend import ENOUGH, Blended, Choice, Factor, Source, by_both, by_rules, settled
from tasks.insights.routing.rules import matching, signs_of
from tasks.insights.selectors.counts import Learned, lead_of_history, learned_of, scores_of
from tasks.models import Project
from tasks.project_settings import setting
from tasks.roles import catalogue

__all__ = ["Answer", "Choice", "Factor", "suggest_specialist"]

_TEACHERS = 3
_lessons = Compiled(
    lambda keys, specialist: (
        Lesson.objects.filter(task__pk__in=keys, specialist=specialist)
        .order_by()
        .values_list("pk", "words", "task__public_id")
    )
)


@dataclass(frozen=True, slots=True)
class Answer:
    """Two choices, the surer first; none where the project switched suggestions off (`source` is `off`).

    `n`: tasks that taught. `lacking`: how many more before the history is asked; 0 where it is, or where the
    rules predicted no worse so far (`source` says which). `turned_by`: the factor without which the second would be
    first.
    """

    choices: list[Choice] = field(default_factory=list)
    is_unsure: bool = True
    factors: list[Factor] = field(default_factory=list)
    taught_by: list[str] = field(default_factory=list)
    source: Source = "off"
    n: int = 0
    lacking: int = 0
    turned_by: Factor | None = None


def suggest_specialist(project: Project, title: str, description: str = "") -> Answer:
    """Return a suggestion among the specialists that the project has now. Nothing assigns it."""
    if setting(project, "routing.suggest") == "off":
        return Answer()
    specialists = catalogue(project).roles.keys()
    rules, words = matching(title, specialists), signs_of(title, description)
    learned = learned_of(project.pk, words)
    counts = learned.counts
    lead = lead_of_history(scores_of(project.pk).values())
    found = settled(by_rules(rules, counts, specialists), by_both(rules, words, counts, specialists), lead)
    return Answer(
        choices=found.choices,
        is_unsure=found.is_unsure(setting(project, "routing.min_confidence")),
        factors=found.factors,
        taught_by=_teachers(found, learned),
        source=found.source,
        n=counts.n,
        lacking=max(0, ENOUGH - counts.n),
        turned_by=found.turned_by,
    )


def _teachers(found: Blended, learned: Learned) -> list[str]:
    """Return the tasks that taught the strongest words for the first choice last."""
    first = found.choices[0].specialist if found.choices else ""
    words = [factor.text for factor in found.factors if factor.kind == "word" and factor.weight > 0]
    keys = dict.fromkeys(learned.newest[word, first] for word in words if (word, first) in learned.newest)
    lessons = _lessons(keys=list(keys), specialist=first)
    # Some were edited since, and teach other words now.
    names = {key: name for key, taught, name in lessons if not taught.keys().isdisjoint(words)}
    return [names[key] for key in keys if key in names][:_TEACHERS]
