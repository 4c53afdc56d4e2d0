"""How sure a rate is, and what to take for it while there is little to go by."""

from __future__ import annotations

from math import sqrt

PULL = 8
"""As many outcomes as the mean counts for: measured against chance and against the raw rate in docs/routing.md."""
_Z = 1.96


def wilson(successes: float, n: int) -> tuple[float, float]:
    """Return the interval that holds a rate in 95 of 100 cases; a success may be a half."""
    if n == 0:
        return 0.0, 1.0
    rate, extra = successes / n, _Z * _Z / n
    spread = _Z * sqrt(rate * (1 - rate) / n + extra / (4 * n))
    low, high = ((rate + extra / 2 + way * spread) / (1 + extra) for way in (-1, 1))
    return min(rate, max(0.0, low)), max(rate, min(1.0, high))


def shrunk(successes: float, n: int, mean: float) -> float:
    """Return a rate drawn towards a mean, the more so the fewer outcomes there are."""
    return (successes + PULL * mean) / (n + PULL)
