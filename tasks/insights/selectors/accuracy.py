"""How well specialists were predicted, by each method, and how often suggestions were accepted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Q

from tasks.insights.choices import Kind, Method, Outcome
from tasks.insights.models import Score, Suggestion
from tasks.insights.routing.accuracy import Accuracy, Tenth
from tasks.models import Project


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Suggestions that were shown, those of them after which something was chosen, and those that it agreed with."""

    shown: int
    decided: int
    accepted: int


def accuracies(project: Project) -> list[Accuracy]:
    """Return the accuracy of each method, on tasks that were planned before any suggestion for them was seen."""
    rows = list(Score.objects.filter(project=project))
    return [accuracy_of(method, rows) for method in Method.values]


def accuracy_of(method: str, scores: Iterable[Score]) -> Accuracy:
    rows = [row for row in scores if row.method == method]
    return Accuracy(
        method=method,
        n=sum(row.n for row in rows),
        right=sum(row.right for row in rows),
        second=sum(row.second for row in rows),
        unsure=sum(row.unsure for row in rows),
        unsure_right=sum(row.unsure_right for row in rows),
        tenths=[Tenth(row.n, row.right, row.confidence) for row in rows],
    )


def acceptances(project: Project) -> dict[str, Acceptance]:
    """Return how suggestions of each kind turned out."""
    decided = Count("pk", filter=~Q(outcome=Outcome.OPEN))
    accepted = Count("pk", filter=Q(outcome=Outcome.ACCEPTED))
    rows = Suggestion.objects.filter(project=project).order_by().values_list("kind")
    found = {kind: counts for kind, *counts in rows.annotate(shown=Count("pk"), decided=decided, accepted=accepted)}
    return {kind: Acceptance(*found.get(kind, (0, 0, 0))) for kind in Kind.values}
