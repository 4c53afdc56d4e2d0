"""Figures in words: what they mean, and their unit."""

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


MEANINGS: dict[Name, str] = {
    Name.DONE: "Tasks completed.",
    Name.PLANNED: "Tasks planned.",
    Name.LEAD: "From planning to the last completion.",
    Name.WAIT: "From ready to the first claim.",
    Name.WORK: "The claims of a completed task, added up.",
    Name.REVIEW_WAIT: "From delivery to verdict; of what waits now, until now.",
    Name.FIRST_PASS: "Verdicts that approved a task without an earlier revision.",
    Name.REOPENED: "Tasks sent back within 14 days after a completion.",
    Name.SUCCESS: "The mean of what was delivered: 1 if accepted without revision, failure or lost lease, "
    "0.5 if sent back once, else 0.",
    Name.LEASE_LOSS: "Claims that ended because the lease or the session ended, or by a take-over.",
    Name.ESTIMATE_ERROR: "How many times longer or shorter than estimated the work took.",
    Name.ESTIMATE_COVERAGE: "Completed tasks that have an estimate.",
    Name.BYTES: "What the calls for a completed task sent and received, where it was measured.",
    Name.TOKENS: "Read and written for a completed task, where clients reported it.",
    Name.COST: "In US dollars for a completed task, where clients reported it.",
    Name.GATES_MISSED: "Completed tasks with a gate that was not met at the first try.",
    Name.GATES_WAIVED: "Completed tasks with a gate that was waived.",
    Name.HANDOVER_COVERAGE: "Tasks in hand, in review, sent back, blocked or failed that the newest handover names.",
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
