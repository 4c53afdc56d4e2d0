"""Times of tasks like one: of the narrowest kind of which enough were measured."""

from __future__ import annotations

import pytest

from tasks.insights.choices import Dimension
from tasks.insights.selectors.times import times_like
from tests.insights.figures import Row, figures, work

CELL, OF_SPECIALIST, ALL = (
    work(Dimension.CELL, "tester/simple", 5), work(Dimension.SPECIALIST, "tester", 8), work(Dimension.PROJECT, "", 20)
)  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "dimension", "n"),
    [
        ((CELL, OF_SPECIALIST, ALL), Dimension.CELL, 5),
        ((OF_SPECIALIST, ALL), Dimension.SPECIALIST, 8),
        ((work(Dimension.CELL, "tester/simple", 4), OF_SPECIALIST, ALL), Dimension.SPECIALIST, 8),
        ((work(Dimension.SPECIALIST, "tester", 4), ALL), Dimension.PROJECT, 20),
    ],
)
def test_too_few_yield_to_a_wider_kind(rows: tuple[Row, ...], dimension: Dimension, n: int) -> None:
    found = times_like(figures(*rows), "tester", "simple")
    assert found is not None
    assert (found.dimension, found.n, found.p50, found.p90) == (dimension, n, 300.0, 600.0)


@pytest.mark.parametrize("rows", [(), (work(Dimension.PROJECT, "", 4),)])
def test_with_too_few_of_everything_nothing_is_said(rows: tuple[Row, ...]) -> None:
    assert times_like(figures(*rows), "tester", "simple") is None


@pytest.mark.parametrize(("specialist", "complexity"), [("", ""), ("", "simple"), ("gone", "simple"), ("a/b", "")])
def test_an_unknown_specialist_has_the_times_of_the_project(specialist: str, complexity: str) -> None:
    found = times_like(figures(CELL, OF_SPECIALIST, ALL), specialist, complexity)
    assert found is not None and found.dimension == Dimension.PROJECT
