"""Algorithms on directed graphs, given as adjacency mappings."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def find_cycle(edges: Mapping[Node, Sequence[Node]]) -> list[Node]:
    """Return the nodes of one cycle in order, or an empty list. `edges[a]` are the nodes that block `a`."""
    done: set[Node] = set()
    for start in edges:
        cycle = _walk(start, edges, done)
        if cycle:
            return cycle
    return []


def _walk(start: Node, edges: Mapping[Node, Sequence[Node]], done: set[Node]) -> list[Node]:
    """Search depth-first from one node, without recursion because a plan may be a thousand levels deep."""
    path: list[Node] = []
    on_path: dict[Node, int] = {}
    stack: list[tuple[Node, bool]] = [(start, False)]
    while stack:
        node, leaving = stack.pop()
        if leaving:
            done.add(node)
            on_path.pop(path.pop())
        elif node in on_path:
            return path[on_path[node] :]
        elif node not in done:
            on_path[node] = len(path)
            path.append(node)
            stack.append((node, True))
            stack.extend((following, False) for following in reversed(edges.get(node, ())))
    return []


def reachable(start: Iterable[Node], following: Callable[[list[Node]], Iterable[Node]]) -> set[Node]:
    seen: set[Node] = set(start)
    frontier = list(seen)
    while frontier:
        frontier = [node for node in dict.fromkeys(following(frontier)) if node not in seen]
        seen.update(frontier)
    return seen


def in_dependency_order(edges: Mapping[Node, Sequence[Node]]) -> list[Node]:
    """Return every node after the nodes that block it, otherwise in the given order. The graph must be acyclic."""
    order: list[Node] = []
    done: set[Node] = set()
    for start in edges:
        stack: list[tuple[Node, bool]] = [(start, False)]
        while stack:
            node, leaving = stack.pop()
            if leaving:
                if node not in done:
                    done.add(node)
                    order.append(node)
            elif node not in done:
                stack.append((node, True))
                stack.extend((need, False) for need in reversed(edges.get(node, ())) if need in edges)
    return order
