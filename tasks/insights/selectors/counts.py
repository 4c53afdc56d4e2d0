"""What routing has learned in a project, as far as some words need it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from orchestrator_site.kernel.compiled import Compiled
from tasks.insights.choices import Method
from tasks.insights.models import Score, SpecialistCount, WordCount
from tasks.insights.routing.bayes import Counts

_CHUNK = 512
_of_specialists = Compiled(
    lambda project: SpecialistCount.objects.filter(project=project).values_list("specialist", "tasks", "words")
)
_of_words = Compiled(
    lambda project, candidates: (
        WordCount.objects.filter(project=project, word__in=candidates)
        .order_by()
        .values_list("word", "specialist", "count", "newest")
    )
)
_of_scores = Compiled(lambda project: Score.objects.filter(project=project).order_by())


@dataclass(slots=True)
class Learned:
    """Counts, and by word and specialist the key of the task that taught it last."""

    counts: Counts
    newest: dict[tuple[str, str], int] = field(default_factory=dict)


def learned_of(project_id: int, words: Collection[str]) -> Learned:
    found = Learned(Counts())
    for specialist, tasks, total in _of_specialists(project=project_id):
        found.counts.tasks[specialist], found.counts.words[specialist] = tasks, total
    ordered = sorted(words)
    for start in range(0, len(ordered), _CHUNK):
        for word, specialist, count, newest in _of_words(
            project=project_id, candidates=ordered[start : start + _CHUNK]
        ):
            found.counts.of[word][specialist] = count
            found.newest[word, specialist] = newest
    return found


def scores_of(project_id: int) -> dict[tuple[str, int], Score]:
    return {(row.method, row.tenth): row for row in _of_scores(project=project_id)}


def lead_of_history(scores: Iterable[Score]) -> int:
    """Return how many more tasks a project's own history predicted right than the rules; below 0, fewer."""
    right = dict.fromkeys(Method.values, 0)
    for score in scores:
        right[score.method] += score.right
    return right[Method.LEARNED] - right[Method.RULES]
