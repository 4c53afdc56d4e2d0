"""Collapse alike nodes into units, assign these to layers by longest path, and order layers by barycenter sweeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tasks.graph.algorithms import in_dependency_order, reachable

SMALLEST = 4  # smaller groups are drawn node by node
Needs = Mapping[int, Sequence[int]]  # the nodes that block each node. Acyclic; every node is a key.
SWEEPS = 6
WAYPOINTS = 2_000
"""Lines that cross layers are routed around units, the shortest first, with at most this many waypoints in all."""


def fold(needs: Needs) -> tuple[list[list[int]], list[list[int]]]:
    """Return units of alike nodes, and the units that block each unit."""
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
    return units, between


@dataclass(slots=True)
class Layered:
    """A connected component in layers. Items are units, then waypoints of long lines; `lines` are chains of items."""

    items: int
    units: list[int]
    layers: list[list[int]]
    lines: list[list[int]]


def parts(needs: Sequence[Sequence[int]]) -> list[list[int]]:
    neighbours: list[list[int]] = [list(blockers) for blockers in needs]
    for unit, blockers in enumerate(needs):
        for need in blockers:
            neighbours[need].append(unit)
    seen: set[int] = set()
    found: list[list[int]] = []
    for start in range(len(needs)):
        if start not in seen:
            part = reachable([start], lambda units: [other for unit in units for other in neighbours[unit]])
            found.append(sorted(part))
            seen |= part
    return found


def ranks(needs: Sequence[Sequence[int]]) -> list[int]:
    """Return the layer of each unit: one after the last of its blockers.

    Units without blockers go right before the first unit that they block, to keep lines short.
    """
    found = [0] * len(needs)
    for unit in in_dependency_order(dict(enumerate(needs))):
        found[unit] = max((found[need] + 1 for need in needs[unit]), default=0)
    first_after: dict[int, int] = {}
    for unit, blockers in enumerate(needs):
        for need in blockers:
            if not needs[need]:
                first_after[need] = min(found[unit], first_after.get(need, found[unit]))
    for need, after in first_after.items():
        found[need] = after - 1
    return found


def layered(part: list[int], needs: Sequence[Sequence[int]], rank: Sequence[int]) -> Layered:
    item_of = {unit: item for item, unit in enumerate(part)}
    layers: list[list[int]] = [[] for _ in range(max(rank[unit] for unit in part) + 1)]
    for item, unit in enumerate(part):
        layers[rank[unit]].append(item)
    pairs = [(item_of[need], item_of[unit]) for unit in part for need in needs[unit]]
    rank_of = [rank[unit] for unit in part]
    longest = _longest_led_around([rank_of[end] - rank_of[start] - 1 for start, end in pairs])
    items = len(part)
    lines: list[list[int]] = []
    for start, end in pairs:
        between = range(rank_of[start] + 1, rank_of[end])
        between = between if len(between) <= longest else range(0)
        lines.append([start, *range(items, items + len(between)), end])
        for place in between:
            layers[place].append(items)
            items += 1
    _untangle(layers, lines, items)
    return Layered(items, part, layers, lines)


def _longest_led_around(spans: list[int]) -> int:
    remaining = WAYPOINTS
    for span, number in sorted(Counter(spans).items()):
        remaining -= span * number
        if remaining < 0:
            return span - 1
    return max(spans, default=0)


def neighbours_of(lines: list[list[int]], items: int) -> tuple[list[list[int]], list[list[int]]]:
    left: list[list[int]] = [[] for _ in range(items)]
    right: list[list[int]] = [[] for _ in range(items)]
    for line in lines:
        for start, end in pairwise(line):
            left[end].append(start)
            right[start].append(end)
    return left, right


def _untangle(layers: list[list[int]], lines: list[list[int]], items: int) -> None:
    left, right = neighbours_of(lines, items)
    place = [0.0] * items
    apart: list[list[int]] = [[]] * items  # the first time, items keep their order
    for linked in (apart, *(left, right) * (SWEEPS // 2)):
        for layer in reversed(layers) if linked is right else layers:
            middle = {
                item: sum(place[other] for other in linked[item]) / len(linked[item]) if linked[item] else place[item]
                for item in layer
            }
            layer.sort(key=middle.__getitem__)
            step = 1 / (len(layer) + 1)
            for number, item in enumerate(layer, start=1):
                place[item] = number * step
