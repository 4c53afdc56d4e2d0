"""Figures: what the values of many leaves add up to."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple

from tasks.insights.choices import COUNTS, RATES, Dimension, Name
from tasks.insights.facts.definitions import Fact, Leaf, facts_of
from tasks.insights.facts.window import Window

ENOUGH = 5
"""A rate or a time of fewer is not shown."""
KEYS = 100
"""How many keys a dimension has: those with the most values."""


class Figure(NamedTuple):
    """A rate, a number, or a median (`value`) with its 90th percentile (`high`), of `n` values."""

    name: Name
    dimension: Dimension
    key: str
    n: int
    value: float
    high: float | None = None

    @property
    def is_count(self) -> bool:
        return self.name in COUNTS

    @property
    def is_enough(self) -> bool:
        return self.n >= ENOUGH or self.is_count


class Sums:
    """Adds up leaf by leaf; what is kept of each value is eight bytes in each dimension."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._values: dict[tuple[Dimension, str], dict[Name, array[float]]] = defaultdict(dict)
        self._days: dict[Name, Counter[str]] = {name: Counter() for name in COUNTS}

    def add(self, leaf: Leaf) -> None:
        cell = f"{leaf.specialist}/{leaf.complexity}" if leaf.specialist else ""
        keys = [
            (Dimension.PROJECT, ""), (Dimension.PLAN, leaf.plan), (Dimension.SPECIALIST, leaf.specialist),
            (Dimension.TEMPLATE, leaf.template), (Dimension.CELL, cell),
        ]  # fmt: skip
        known = [key for key in keys if key[1] or key[0] == Dimension.PROJECT]
        for fact in facts_of(leaf, self._window):
            for key in known:
                self._note(key, fact.name, fact.value)
            if fact.by and fact.by.client:
                self._note((Dimension.CLIENT, fact.by.client), fact.name, fact.value)
            if fact.by and fact.by.model:
                self._note((Dimension.MODEL, fact.by.model), fact.name, fact.value)
            self._note_day(fact)

    def note(self, name: Name, value: float) -> None:
        """Add a value that is about the project alone."""
        self._note((Dimension.PROJECT, ""), name, value)

    def _note(self, key: tuple[Dimension, str], name: Name, value: float) -> None:
        of_key = self._values[key]
        if name not in of_key:
            of_key[name] = array("d")
        of_key[name].append(value)

    def _note_day(self, fact: Fact) -> None:
        if fact.name in self._days:
            self._days[fact.name][self._window.day_of(fact.at).isoformat()] += 1

    def figures(self) -> Iterator[Figure]:
        """Yield the figures. What is counted has one for each day too, with the day as its key."""
        for dimension, key in self._kept():
            for name, values in self._values[dimension, key].items():
                if not (name in COUNTS and dimension == Dimension.PROJECT):
                    yield _figure(name, dimension, key, values)
        for name, days in self._days.items():
            for key, number in [("", days.total()), *days.items()]:
                yield Figure(name, Dimension.PROJECT, key, number, number)

    def _kept(self) -> list[tuple[Dimension, str]]:
        sizes = {key: sum(map(len, names.values())) for key, names in self._values.items()}
        kept: list[tuple[Dimension, str]] = []
        for dimension in Dimension:
            keys = sorted((key for key in sizes if key[0] == dimension), key=lambda key: (-sizes[key], key[1]))
            kept += keys[:KEYS]
        return kept


def _figure(name: Name, dimension: Dimension, key: str, values: Sequence[float]) -> Figure:
    n = len(values)
    if name in COUNTS:
        return Figure(name, dimension, key, n, n)
    if name in RATES:
        return Figure(name, dimension, key, n, sum(values) / n)
    return Figure(name, dimension, key, n, median(values), sorted(values)[(n * 9 - 1) // 10])
