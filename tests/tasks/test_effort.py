"""What estimates in words come to in minutes, `tasks/effort.py`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.effort import DAY, LONGEST, minutes_in


@pytest.mark.parametrize(
    ("effort", "minutes"),
    [
        ("2 hours", 120),
        ("90 min", 90),
        ("30m", 30),
        ("1.5h", 90),
        ("1,5 h", 90),
        ("1h30", 90),
        ("1 h 30 min", 90),
        ("1 hour and 15 minutes", 75),
        ("an hour", 60),
        ("half an hour", 30),
        ("half a day", DAY / 2),
        ("half day", DAY / 2),
        ("a day", DAY),
        ("1 day", DAY),
        ("2 days, 4 hours", 2 * DAY + 240),
        ("1 week", 5 * DAY),
        ("~2h", 120),
        ("about 3 Hours", 180),
        ("  2\thours ", 120),
        ("PT2H", 120),
        ("PT1H30M", 90),
        ("P1D", DAY),
        ("P1DT4H", DAY + 240),
        ("2-4 hours", 180),
        ("2 \u2013 4 h", 180),
        ("1 to 2 days", 1.5 * DAY),
        ("30 min - 1 h", 45),
    ],
)
def test_a_clear_estimate_has_minutes(effort: str, minutes: float) -> None:
    assert minutes_in(effort) == minutes


@pytest.mark.parametrize(
    "effort",
    [
        "", "M", "5 points", "2", "soon", "2 hours, maybe more", "4-2 hours", "1-2-3 hours", "P1M", "P", "PT", "0 h",
        "-3 hours", "2 d 30", "half", "261 days", "1 hour " * 40, "1" * 201, "²h", "1.2.3 h", "1,000 hours",
        "1.000 min", "1,000-2,000 min",
    ],
)  # fmt: skip
def test_an_unclear_estimate_has_none(effort: str) -> None:
    assert minutes_in(effort) is None


@given(st.text(alphabet="0123456789.,- hmdwpt~\u2013anlf", max_size=250))
def test_whatever_is_sent_has_no_minutes_or_up_to_a_year_of_them(effort: str) -> None:
    assert (minutes_in(effort) or 1) <= LONGEST
    assert (minutes_in(effort) or 1) > 0
