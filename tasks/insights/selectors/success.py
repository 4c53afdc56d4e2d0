"""How often work succeeds, by specialist, complexity, client and model: never by person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tasks.insights.choices import Dimension, Name
from tasks.insights.routing.accuracy import wilson
from tasks.insights.selectors.figures import Figure, Figures

PULL = 8
"""As many tasks as the mean counts for, so that a few lucky ones do not come before what is proven."""
TRIED = 3
"""Below so many finished tasks something is new: worth a try before it is compared. `routing.explore` adds to it."""
COMPARED = (Dimension.SPECIALIST, Dimension.CELL, Dimension.CLIENT, Dimension.MODEL)


@dataclass(frozen=True, slots=True)
class Success:
    """What of `n` finished tasks succeeded, with its interval; `shrunk` is the rate drawn towards its mean.

    All are None where `n` is too few to say. `cell` is a specialist with a complexity, `tester/simple`.
    """

    dimension: Dimension
    key: str
    n: int
    rate: float | None = None
    low: float | None = None
    high: float | None = None
    shrunk: float | None = None
    is_new: bool = False


def success_of(
    figures: Figures, dimensions: Iterable[Dimension] = COMPARED, key: str = "", *, explore: int = 0
) -> list[Success]:
    """Return the rates by name, so that they are no ranking; with a key, of that specialist, client or model alone.

    A specialist, a client or a model is drawn towards the project, a complexity towards its specialist.
    """
    overall = figures.get(Name.SUCCESS)
    mean = overall.value if overall else 0.0
    of_specialists = figures.of(Name.SUCCESS, Dimension.SPECIALIST)
    means = {each.key: shrunk(each.value * each.n, each.n, mean) for each in of_specialists}
    found = []
    for dimension in dimensions:
        for each in sorted(figures.of(Name.SUCCESS, dimension), key=lambda each: each.key):
            owner = each.key.partition("/")[0] if dimension == Dimension.CELL else each.key
            if key in ("", owner):
                towards = means.get(owner, mean) if dimension == Dimension.CELL else mean
                found.append(_success(dimension, each, towards, each.n < TRIED + explore))
    return found


def _success(dimension: Dimension, figure: Figure, mean: float, is_new: bool) -> Success:
    if not figure.is_enough:
        return Success(dimension, figure.key, figure.n, is_new=is_new)
    successes = figure.value * figure.n
    low, high = wilson(successes, figure.n) or (None, None)
    drawn = shrunk(successes, figure.n, mean)
    return Success(dimension, figure.key, figure.n, figure.value, low, high, drawn, is_new)


def shrunk(successes: float, n: int, mean: float) -> float:
    """Return a rate drawn towards a mean, the more so the fewer tasks there are; a success may be a half."""
    return (successes + PULL * mean) / (n + PULL)
