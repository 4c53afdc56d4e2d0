"""Figures as if they had been counted."""

from __future__ import annotations

from datetime import date

from tasks.insights.choices import Dimension, Name
from tasks.insights.facts.figures import Figure
from tasks.insights.selectors.figures import Figures

Row = tuple[Name, Dimension, str, int, float]


def figures(*rows: Row, high: float = 600.0, days: int = 10, until: int = 1) -> Figures:
    """Make figures of rows of name, dimension, key, n and value."""
    found = [Figure(name, dimension, key, n, value, high) for name, dimension, key, n, value in rows]

    def read(dimension: Dimension) -> list[Figure]:
        return [each for each in found if each.dimension == dimension]

    return Figures(read, day=date(2031, 5, 4), days=days, until=until, is_stored=False)


def success(dimension: Dimension, key: str, n: int, value: float) -> Row:
    return (Name.SUCCESS, dimension, key, n, value)


def work(dimension: Dimension, key: str, n: int, value: float = 300.0) -> Row:
    return (Name.WORK, dimension, key, n, value)
