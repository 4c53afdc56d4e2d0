"""Algorithms on directed graphs, given as adjacency mappings."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def reachable(start: Iterable[Node], following: Callable[[list[Node]], Iterable[Node]]) -> set[Node]:
    seen: set[Node] = set(start)
    frontier = list(seen)
    while frontier:
        frontier = [node for node in dict.fromkeys(following(frontier)) if node not in seen]
        seen.update(frontier)
    return seen


def in_dependency_order(edges: Mapping[Node, Sequence[Node]]) -> list[Node]:
    """Return every node after the nodes that block it, otherwise in the given order. The graph must be acyclic."""
    order: dict[Node, None] = {}
    stack = [(start, False) for start in reversed(list(edges))]
    while stack:
        node, leaving = stack.pop()
        if leaving:
            order[node] = None
        elif node not in order:
            stack.append((node, True))
            stack.extend((need, False) for need in reversed(edges.get(node, ())) if need in edges)
    return list(order)


def critical_path(needs: Mapping[int, Sequence[int]], weights: Mapping[int, int]) -> list[int]:
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
