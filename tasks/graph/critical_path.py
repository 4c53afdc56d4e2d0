"""The critical path: the longest chain of unfinished tasks."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.graph.algorithms import in_dependency_order
from tasks.graph.grouping import Needs


def critical_path(needs: Needs, weights: Mapping[int, int]) -> list[int]:
    """Return the heaviest chain of nodes that have a weight, from the first to the last.

    Nodes without a weight are finished; those of weight 0 only link others. A single node is not a path.
    """
    length: dict[int, int] = {}
    before: dict[int, int] = {}
    open_needs = {node: [need for need in needs[node] if need in weights] for node in needs if node in weights}
    for node in in_dependency_order(open_needs):
        last = max(open_needs[node], key=length.__getitem__, default=None)
        length[node] = weights[node] + (length[last] if last is not None else 0)
        if last is not None:
            before[node] = last
    path = [max(length, key=length.__getitem__)] if length else []
    while path and path[-1] in before:
        path.append(before[path[-1]])
    return path[::-1] if sum(weights[node] > 0 for node in path) > 1 else []
