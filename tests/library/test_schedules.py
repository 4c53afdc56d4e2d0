"""When a recurring plan is due: cron lines in a time zone, with its clock changes, and intervals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.library.schedules import Schedule, problems

BERLIN = "Europe/Berlin"
EVERY_HOUR = Schedule("", 60, "UTC")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def times(cron: str, zone: str, after: str, number: int = 3) -> list[str]:
    found = Schedule(cron, None, zone).following(at(after), number)
    return [f"{time:%m-%d %H:%M}" for time in found]


def test_a_cron_line_counts_in_the_time_zone_of_the_project() -> None:
    assert times("0 9 * * MON-FRI", BERLIN, "2026-07-03T12:00") == ["07-06 07:00", "07-07 07:00", "07-08 07:00"]
    assert times("0 9 * * MON-FRI", "America/New_York", "2026-07-03T12:00")[0] == "07-03 13:00"
    assert times("0 0 L * *", "Asia/Kathmandu", "2026-02-01T00:00", 2) == ["02-27 18:15", "03-30 18:15"]


def test_a_time_that_the_clock_skips_comes_right_after_the_gap_and_once() -> None:
    assert times("30 2 * * *", BERLIN, "2026-03-28T12:00") == ["03-29 01:00", "03-30 00:30", "03-31 00:30"]
    assert times("0,30 2 * * *", BERLIN, "2026-03-28T12:00") == ["03-29 01:00", "03-30 00:00", "03-30 00:30"]


def test_a_time_that_the_clock_shows_twice_comes_once() -> None:
    assert times("30 2 * * *", BERLIN, "2026-10-24T12:00") == ["10-25 00:30", "10-26 01:30", "10-27 01:30"]


def test_after_the_first_of_two_equal_times_the_next_is_never_in_the_past() -> None:
    assert times("30 2 * * *", BERLIN, "2026-10-25T01:10") == ["10-26 01:30", "10-27 01:30", "10-28 01:30"]


def test_every_hour_means_also_the_one_that_the_clock_shows_twice() -> None:
    assert times("0 * * * *", BERLIN, "2026-10-24T23:30", 3) == ["10-25 00:00", "10-25 01:00", "10-25 02:00"]
    assert times("0 * * * *", BERLIN, "2026-03-29T00:30", 2) == ["03-29 01:00", "03-29 02:00"]


@pytest.mark.parametrize(
    "cron",
    ["* * * * *", "*/10 * * * *", "0,5 0 1 1 *", "59 23 * * *|0 0 * * *", "0 0 31 2 *", "0 0 * *", "0 0 0 * * *",
     "0 25 * * *", "0/0 * * * *", "0 0 1-5-9 * *", "@daily", "0 0 * * \u0661", "0 0 * * *; rm", "0 " * 60,
     " ", "0\n0 * * *"],
)  # fmt: skip
def test_a_line_that_means_nothing_or_comes_too_often_is_refused(cron: str) -> None:
    assert [each["at"] for each in problems(cron, None)] == ["cron"]


@pytest.mark.parametrize(
    "cron", ["*/15 * * * *", "0 9 * * mon", "0 0 L * *", "0 0 29 2 *", "0 0 * * 5L", "7 4 1,15 * *"]
)
def test_a_line_that_cron_knows_is_accepted(cron: str) -> None:
    assert problems(cron, None) == []


def test_an_interval_is_at_least_a_quarter_of_an_hour_and_at_most_a_year() -> None:
    assert [bool(problems("", minutes)) for minutes in (-1, 0, 14, 15, 527_040, 527_041)] == [
        True, True, True, False, False, True,
    ]  # fmt: skip


def test_a_schedule_is_one_of_the_two() -> None:
    assert problems("", None) and problems("0 9 * * *", 60)


def test_turns_that_were_missed_come_no_more_and_an_interval_keeps_step() -> None:
    due = at("2026-01-01T00:10")
    assert EVERY_HOUR.turn_after(due, due + timedelta(hours=5, minutes=20)) == at("2026-01-01T06:10")
    assert EVERY_HOUR.turn_after(due, due) == at("2026-01-01T01:10")
    daily = Schedule("0 9 * * *", None, "UTC")
    assert daily.turn_after(at("2026-01-01T09:00"), at("2026-01-09T10:00")) == at("2026-01-10T09:00")


def test_a_clock_set_back_by_days_brings_the_turn_forward() -> None:
    now = at("2026-01-01T00:00")
    daily = Schedule("0 9 * * *", None, "UTC")
    assert daily.corrected(at("2026-02-01T09:00"), now) == at("2026-01-01T09:00")
    assert EVERY_HOUR.corrected(at("2026-02-01T09:00"), now) == at("2026-01-01T01:00")


def test_a_clock_set_back_by_less_than_a_turn_repeats_none() -> None:
    due = at("2026-01-02T09:00")
    assert Schedule("0 9 * * *", None, "UTC").corrected(due, at("2026-01-01T08:59")) == due
    assert EVERY_HOUR.corrected(at("2026-01-01T01:59"), at("2026-01-01T00:30")) == at("2026-01-01T01:59")


def test_another_time_zone_moves_the_turn() -> None:
    now, in_utc = at("2026-07-01T00:00"), at("2026-07-01T09:00")
    assert Schedule("0 9 * * *", None, BERLIN).corrected(in_utc, now) == at("2026-07-01T07:00")


@given(st.text(alphabet="0123456789*/,-#L MONjan", max_size=30))
def test_any_line_is_judged_and_an_accepted_one_only_goes_forward(cron: str) -> None:
    if problems(cron, None):
        return
    now = at("2026-10-24T23:00")
    found = Schedule(cron, None, BERLIN).following(now, 20)
    assert found == sorted(set(found))
    assert found[0] > now
