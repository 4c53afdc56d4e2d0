"""Labels, the axis of time, and the critical path: the small functions of `tasks/graph/`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.graph import labels
from tasks.graph.algorithms import critical_path
from tasks.graph.layering import Needs
from tasks.graph.time_axis import MOST_TICKS, Axis, lasting, tracks
from tests.tasks.test_drawing_layout import graphs

MOMENTS = st.datetimes(datetime(2001, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))
START = datetime(2026, 11, 22, 9, 14, tzinfo=UTC)


@given(st.text(max_size=80), st.floats(4, 40), st.integers(1, 3))
def test_a_label_stays_within_its_width_and_lines(text: str, room: float, count: int) -> None:
    found = labels.lines(text, room, count)
    assert len(found) <= count
    assert all(labels.width(line) <= room + 1 for line in found)


@given(st.text(max_size=80), st.floats(4, 40))
def test_a_label_is_the_text_or_its_beginning_with_an_ellipsis(text: str, room: float) -> None:
    found = labels.fitted(text, room)
    assert found == text or (found.endswith("…") and text.startswith(found[:-1]))


def test_a_title_is_broken_at_spaces_and_cut_in_its_last_line() -> None:
    assert labels.lines("Design the checkout of the shop again", 14, 2) == ["Design the", "checkout of the…"]
    assert labels.lines("Short", 14, 2) == ["Short"]
    assert labels.lines("", 14, 2) == []


def test_a_word_without_end_is_cut() -> None:
    (line,) = labels.lines("x" * 300, 14, 2)
    assert line == "x" * 13 + "…"


def test_letters_that_are_twice_as_wide_count_twice() -> None:
    assert labels.width("設計") == 4 and labels.width("🎉") == 2


@given(MOMENTS, st.timedeltas(timedelta(0), timedelta(days=9000)))
def test_an_axis_names_few_times_in_order_and_all_are_on_it(start: datetime, span: timedelta) -> None:
    axis = Axis.around(start, start + span)
    ticks = axis.ticks()
    assert len(ticks) <= MOST_TICKS + 1
    assert [tick.time for tick in ticks] == sorted({tick.time for tick in ticks})
    assert all(axis.start - timedelta(seconds=1) <= tick.time <= axis.end and tick.label for tick in ticks)


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(minutes=40), ["09:20", "09:30", "09:40", "09:50"]),
        (timedelta(hours=5), ["10:00", "11:00", "12:00", "13:00", "14:00"]),
        (timedelta(hours=30), ["12:00", "18:00", "23 Nov", "06:00", "12:00"]),
        (timedelta(days=4), ["23 Nov", "24 Nov", "25 Nov", "26 Nov"]),
    ],
)
def test_the_axis_speaks_in_minutes_hours_or_days(span: timedelta, words: list[str]) -> None:
    assert [tick.label for tick in Axis.around(START, START + span).ticks()] == words


def test_days_begin_at_midnight_also_after_the_clocks_were_changed() -> None:
    zone = ZoneInfo("Europe/Vienna")
    ticks = Axis.around(datetime(2026, 10, 24, 12, tzinfo=zone), datetime(2026, 10, 28, 12, tzinfo=zone)).ticks()
    assert [(tick.label, tick.time.hour) for tick in ticks] == [(f"{day} Oct", 0) for day in (25, 26, 27, 28)]
    assert ticks[1].percent - ticks[0].percent > ticks[2].percent - ticks[1].percent


def test_a_place_on_the_axis_never_leaves_it() -> None:
    axis = Axis.around(START, START + timedelta(hours=1))
    assert axis.percent(START + timedelta(minutes=15)) == 25
    assert axis.percent(START - timedelta(days=1)) == 0 and axis.percent(START + timedelta(days=1)) == 100


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 30)), max_size=30))
def test_what_runs_at_the_same_time_runs_on_different_tracks(spans: list[tuple[int, int]]) -> None:
    times = sorted((START + timedelta(minutes=at), START + timedelta(minutes=at + long)) for at, long in spans)
    found = tracks(times)
    for place, (start, _) in enumerate(times):
        for other in range(place):
            assert found[other] != found[place] or times[other][1] <= start


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=9), "9 s"),
        (timedelta(minutes=12, seconds=50), "12 min"),
        (timedelta(hours=3), "3 h"),
        (timedelta(hours=3, minutes=5), "3 h 5 min"),
        (timedelta(days=1, hours=2), "1 day 2 h"),
        (timedelta(days=1200), "1,200 days"),
    ],
)
def test_how_long_something_took_is_said_in_two_units(span: timedelta, words: str) -> None:
    assert lasting(span) == words


def test_the_critical_path_is_the_heaviest_way_through_what_is_unfinished() -> None:
    needs = {1: [], 2: [1], 3: [1], 4: [2, 3], 5: [4]}
    assert critical_path(needs, {1: 1, 2: 1, 3: 5, 4: 1, 5: 1}) == [1, 3, 4, 5]
    assert critical_path(needs, {4: 1, 5: 1}) == [4, 5]


def test_one_task_and_groups_are_no_critical_path() -> None:
    assert critical_path({1: [], 2: [1], 3: [2]}, {1: 0, 2: 5, 3: 0}) == []
    assert critical_path({1: [], 2: [1], 3: [2]}, {1: 5, 2: 0, 3: 1}) == [1, 2, 3]


def test_finished_tasks_do_not_count() -> None:
    assert critical_path({1: [], 2: [1], 3: [2]}, {1: 1, 3: 1}) == []


@given(graphs(), st.integers(0, 5))
def test_the_critical_path_follows_dependencies_and_none_is_heavier(needs: Needs, weight: int) -> None:
    weights = {node: 1 + node % (weight + 1) for node in needs}
    path = critical_path(needs, weights)
    assert all(before in needs[after] for before, after in pairwise(path))
    if path:
        assert sum(weights[node] for node in path) >= max(
            weights[node] + max((weights[need] for need in needs[node]), default=0) for node in needs
        )
