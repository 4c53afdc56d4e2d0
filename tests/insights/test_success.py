"""Success: drawn towards the mean, with its interval, and nothing said of too few."""

from __future__ import annotations

import random

import pytest

from tasks.insights.choices import Dimension
from tasks.insights.routing.accuracy import wilson
from tasks.insights.selectors.success import PULL, shrunk, success_of
from tests.insights.figures import figures, success


def test_a_rate_of_few_is_near_the_mean_and_one_of_many_near_itself() -> None:
    assert shrunk(0, 0, 0.6) == 0.6
    assert 0.6 < shrunk(2, 2, 0.6) < 0.7
    assert shrunk(1000, 1000, 0.6) > 0.99
    assert shrunk(PULL, PULL, 0.0) == 0.5


def test_an_interval_holds_the_true_rate_of_95_in_100_samples() -> None:
    chance = random.Random(7)
    draws = [sum(chance.random() < 0.7 for _ in range(40)) for _ in range(2000)]
    held = sum(low <= 0.7 <= high for low, high in (wilson(each, 40) or (1, 0) for each in draws))
    assert 0.93 <= held / len(draws) <= 0.97


def test_without_anything_finished_nothing_is_said() -> None:
    assert success_of(figures()) == []


def test_too_few_have_no_rate_and_fewer_are_new() -> None:
    found = success_of(figures(success(Dimension.MODEL, "a", 4, 1), success(Dimension.MODEL, "b", 2, 1)))
    assert [(each.key, each.rate, each.low) for each in found] == [("a", None, None), ("b", None, None)]
    assert [each.is_new for each in found] == [False, True]


def test_a_project_that_explores_more_takes_longer_to_call_something_known() -> None:
    rows = figures(success(Dimension.MODEL, "a", 4, 1), success(Dimension.MODEL, "b", 7, 1))
    assert [each.is_new for each in success_of(rows)] == [False, False]
    assert [each.is_new for each in success_of(rows, explore=2)] == [True, False]
    assert [each.is_new for each in success_of(rows, explore=5)] == [True, True]


def test_a_lucky_newcomer_is_below_a_proven_one() -> None:
    rows = success(Dimension.PROJECT, "", 205, 0.7), success(Dimension.CLIENT, "old", 200, 0.9)
    new, old = success_of(figures(*rows, success(Dimension.CLIENT, "lucky", 5, 1.0)), [Dimension.CLIENT])
    assert (new.key, old.key) == ("lucky", "old")
    assert new.shrunk is not None and old.shrunk is not None and new.low is not None and old.low is not None
    assert new.shrunk < old.shrunk and new.low < old.low


def test_a_complexity_is_drawn_towards_its_specialist_and_not_the_project() -> None:
    rows = success(Dimension.PROJECT, "", 1000, 0.2), success(Dimension.SPECIALIST, "tester", 500, 0.9)
    (found,) = success_of(figures(*rows, success(Dimension.CELL, "tester/complex", 5, 0.8)), [Dimension.CELL])
    assert found.shrunk is not None and 0.8 < found.shrunk < 0.9


@pytest.mark.parametrize("value", [0.0, 0.1, 0.5, 1.0])
def test_a_rate_is_within_the_interval_beside_it(value: float) -> None:
    rows = success(Dimension.PROJECT, "", 1000, 1 - value), success(Dimension.CLIENT, "a", 50, value)
    (found,) = success_of(figures(*rows), [Dimension.CLIENT])
    assert found.rate == value and found.low is not None and found.high is not None
    assert found.low <= found.rate <= found.high


def test_one_specialist_is_shown_with_its_complexities_alone() -> None:
    rows = [success(Dimension.CELL, key, 5, 1) for key in ("tester/simple", "tester/complex", "testerling/simple")]
    found = success_of(figures(*rows, success(Dimension.SPECIALIST, "tester", 9, 1)), key="tester")
    assert [each.key for each in found] == ["tester", "tester/complex", "tester/simple"]


def test_rows_are_in_the_order_of_names_and_not_of_rates() -> None:
    rows = [success(Dimension.CLIENT, key, 9, rate) for key, rate in (("b", 1.0), ("c", 0.5), ("a", 0.1))]
    assert [each.key for each in success_of(figures(*rows))] == ["a", "b", "c"]


def test_no_rate_is_about_a_person_or_a_session() -> None:
    assert {each.value for each in Dimension} & {"person", "user", "session", "actor", "assignee"} == set()
