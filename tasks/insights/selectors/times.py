"""How long tasks like one take, from the measured times of the project."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.insights.choices import Dimension, Name
from tasks.insights.selectors.figures import Figures


@dataclass(frozen=True, slots=True)
class Times:
    """Half of `n` tasks took at most `p50` seconds of work, nine of ten at most `p90`. `like` says which tasks."""

    p50: float
    p90: float
    n: int
    dimension: Dimension
    like: str


def times_like(figures: Figures, specialist: str = "", complexity: str = "") -> Times | None:
    """Return the times of a specialist's tasks of a complexity, else of the specialist, else of the project.

    None where there are too few of all three.
    """
    kinds = {
        Dimension.CELL: f"{specialist}/{complexity}" if specialist and complexity else "",
        Dimension.SPECIALIST: specialist,
        Dimension.PROJECT: "",
    }
    for dimension, key in kinds.items():
        found = figures.get(Name.WORK, dimension, key) if key or dimension == Dimension.PROJECT else None
        if found is not None and found.is_enough and found.high is not None:
            return Times(found.value, found.high, found.n, dimension, key)
    return None
