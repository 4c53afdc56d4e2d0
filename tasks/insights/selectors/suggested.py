"""How suggestions turned out, for those who read it: no rate of too few tasks, and the newest with what was chosen."""

from __future__ import annotations

from dataclasses import dataclass, field

from tasks.insights.choices import Kind, Method
from tasks.insights.facts.figures import ENOUGH
from tasks.insights.models import Suggestion
from tasks.insights.routing.accuracy import Accuracy
from tasks.insights.selectors.accuracy import Acceptance, acceptances, accuracies
from tasks.models import Project

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Measured:
    """The accuracy of a method. Without rates where too few tasks were predicted."""

    method: Method
    n: int
    right: int
    rate: float | None = None
    low: float | None = None
    high: float | None = None
    first_two: float | None = None
    abstained: float | None = None
    rate_when_sure: float | None = None
    calibration_error: float | None = None


@dataclass(frozen=True, slots=True)
class Turned:
    """How each method did, which specialists that were shown were chosen, and whether what came next was claimed."""

    methods: list[Measured]
    acceptance: Acceptance
    taken: Acceptance
    newest: list[Suggestion] = field(default_factory=list)


def measured(project: Project, *, newest: int = 0) -> Turned:
    """Return each method beside the others, and as many of the newest suggestions for specialists as are asked for."""
    rows = Suggestion.objects.filter(project=project, kind=Kind.SPECIALIST).select_related("task")
    last = list(rows.order_by("-pk")[:newest]) if newest else []
    kinds = acceptances(project)
    methods = [_measured(each) for each in accuracies(project)]
    return Turned(methods, kinds[Kind.SPECIALIST], kinds[Kind.NEXT_TASK], last)


def _measured(found: Accuracy) -> Measured:
    method = Method(found.method)
    if found.n < ENOUGH or found.interval is None:
        return Measured(method, found.n, found.right)
    return Measured(
        method, found.n, found.right, found.rate, *found.interval, found.first_two, found.abstained,
        found.rate_when_sure, found.calibration_error,
    )  # fmt: skip
