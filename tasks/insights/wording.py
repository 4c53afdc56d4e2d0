"""Figures in words: their unit, and what a person may do about them."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from math import exp

from tasks.graph.time_axis import lasting
from tasks.insights.choices import COUNTS, RATES, Name


class Unit(Enum):
    SECONDS = "seconds"
    RATE = "rate"
    FACTOR = "factor"
    BYTES = "bytes"
    TOKENS = "tokens"
    USD = "usd"
    NUMBER = "number"


UNITS: dict[str, Unit] = {
    **dict.fromkeys((Name.LEAD, Name.WAIT, Name.WORK, Name.REVIEW_WAIT), Unit.SECONDS),
    Name.ESTIMATE_ERROR: Unit.FACTOR,
    Name.BYTES: Unit.BYTES,
    Name.TOKENS: Unit.TOKENS,
    Name.COST: Unit.USD,
    **dict.fromkeys(COUNTS, Unit.NUMBER),
    **dict.fromkeys(RATES, Unit.RATE),
}


def in_words(name: str, value: float) -> str:
    """Return a value with its unit; an error of estimates is the median of |ln(actual/estimate)|, shown as a factor."""
    match UNITS[name]:
        case Unit.SECONDS:
            return lasting(timedelta(seconds=value))
        case Unit.RATE:
            return f"{value:.0%}"
        case Unit.FACTOR:
            return f"{exp(value):.1f} times"
        case Unit.BYTES:
            return f"{value / 1000:,.1f} kB"
        case Unit.USD:
            return f"${value:,.2f}"
        case _:
            return f"{value:,.0f}"
