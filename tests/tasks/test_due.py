"""Times as callers send them, `tasks/due.py`."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.due import time_in

BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("sent", "time"),
    [
        ("2026-12-24T17:00:00+01:00", datetime(2026, 12, 24, 16, tzinfo=UTC)),
        ("2026-12-24T17:00:00Z", datetime(2026, 12, 24, 17, tzinfo=UTC)),
        ("2026-12-24T17:00", datetime(2026, 12, 24, 16, tzinfo=UTC)),
        ("2026-07-24 17:00:30", datetime(2026, 7, 24, 15, 0, 30, tzinfo=UTC)),
        (" 2026-12-24 ", datetime(2026, 12, 24, 22, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_time_without_a_zone_counts_in_the_given_one_and_a_date_is_the_end_of_its_day(
    sent: str, time: datetime
) -> None:
    assert time_in(sent, zone=BERLIN) == time


def test_a_date_can_also_be_the_begin_of_its_day() -> None:
    assert time_in("2026-12-24", zone=BERLIN, ends=False) == datetime(2026, 12, 23, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "tomorrow",
        "2026-02-30",
        "2026-12-24T25:00",
        "20261224",
        "9000-01-01",
        "9999-12-31",
        "0001-01-01",
        "²026-12-24",
    ],
)
def test_what_is_no_time_is_none(sent: str) -> None:
    assert time_in(sent, zone=BERLIN) is None


@given(st.text(alphabet="0123456789-:TZ +.", max_size=40))
def test_whatever_is_sent_is_a_time_in_utc_or_none(sent: str) -> None:
    found = time_in(sent, zone=BERLIN)
    assert found is None or found.tzinfo is UTC
