"""How often a method was right, with what certainty, and whether its confidences can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

_Z = 1.96


@dataclass(frozen=True, slots=True)
class Tenth:
    """Predictions with a confidence from a tenth to the next; `confidence` is the sum of theirs."""

    n: int
    right: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Accuracy:
    """`second`: right with the second of two; `unsure_right`: right, but unsure.

    Rates are None where there is nothing to divide by.
    """

    method: str
    n: int
    right: int
    second: int
    unsure: int
    unsure_right: int
    tenths: Sequence[Tenth]

    @property
    def rate(self) -> float | None:
        return _share(self.right, self.n)

    @property
    def interval(self) -> tuple[float, float] | None:
        return wilson(self.right, self.n)

    @property
    def first_two(self) -> float | None:
        return _share(self.right + self.second, self.n)

    @property
    def abstained(self) -> float | None:
        return _share(self.unsure, self.n)

    @property
    def rate_when_sure(self) -> float | None:
        return _share(self.right - self.unsure_right, self.n - self.unsure)

    @property
    def calibration_error(self) -> float | None:
        """How far, on average, the confidences of a tenth are from how often they were right."""
        off = sum(abs(each.confidence - each.right) for each in self.tenths)
        return off / self.n if self.n else None


def wilson(right: float, n: int) -> tuple[float, float] | None:
    """Return the interval that holds the rate in 95 of 100 cases."""
    if not n:
        return None
    rate, extra = right / n, _Z**2 / n
    middle = (rate + extra / 2) / (1 + extra)
    half = _Z * sqrt(rate * (1 - rate) / n + extra / (4 * n)) / (1 + extra)
    return max(0.0, middle - half), min(1.0, middle + half)


def _share(part: int, n: int) -> float | None:
    return part / n if n else None
