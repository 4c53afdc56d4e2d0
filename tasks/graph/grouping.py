"""Collapse nodes with identical neighbors into one block with one line in and one out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SMALLEST = 4  # smaller groups are drawn node by node

Needs = Mapping[int, Sequence[int]]  # the nodes that block each node. Acyclic; every node is a key.


@dataclass(frozen=True, slots=True)
class Folded:
    units: list[list[int]]
    needs: list[list[int]]


def fold(needs: Needs) -> Folded:
    dependents: dict[int, list[int]] = {node: [] for node in needs}
    for node, blockers in needs.items():
        for need in blockers:
            dependents[need].append(node)
    alike: dict[tuple[frozenset[int], frozenset[int]], list[int]] = {}
    for node, blockers in needs.items():
        alike.setdefault((frozenset(blockers), frozenset(dependents[node])), []).append(node)
    units: list[list[int]] = []
    for nodes in alike.values():
        units += [nodes] if len(nodes) >= SMALLEST else [[node] for node in nodes]
    unit_of = {node: place for place, unit in enumerate(units) for node in unit}
    between = [list(dict.fromkeys(unit_of[need] for need in needs[unit[0]])) for unit in units]
    return Folded(units, between)
