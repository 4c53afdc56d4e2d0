"""Fold what stands at the same place of a graph: tasks that wait for the same and are waited for by the same.

A hundred of them become one block with one line in and one out; those that wait for nothing and nobody are such a
block, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SMALLEST = 4
"""As many make a block; fewer are drawn one by one."""

Needs = Mapping[int, Sequence[int]]
"""What each node waits for. Acyclic; every node is a key."""


@dataclass(frozen=True, slots=True)
class Folded:
    """Units of one or more nodes, and which units each of them waits for, by their places in the list."""

    units: list[list[int]]
    needs: list[list[int]]


def fold(needs: Needs) -> Folded:
    """Return the units of a graph in the order of their first nodes."""
    units = _units(needs)
    unit_of = {node: place for place, unit in enumerate(units) for node in unit}
    between = [list(dict.fromkeys(unit_of[need] for need in needs[unit[0]])) for unit in units]
    return Folded(units, between)


def _units(needs: Needs) -> list[list[int]]:
    dependents: dict[int, list[int]] = {node: [] for node in needs}
    for node, waited_for in needs.items():
        for need in waited_for:
            dependents[need].append(node)
    alike: dict[tuple[frozenset[int], frozenset[int]], list[int]] = {}
    for node, waited_for in needs.items():
        alike.setdefault((frozenset(waited_for), frozenset(dependents[node])), []).append(node)
    units: list[list[int]] = []
    for nodes in alike.values():
        units += [nodes] if len(nodes) >= SMALLEST else [[node] for node in nodes]
    return units
