"""How many tasks wait for each leaf, one after the other and directly, given who waits for what."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from graphlib import TopologicalSorter
from typing import NamedTuple

_NO_LEAVES: frozenset[int] = frozenset()
_NO_CHAINS: Mapping[int, int] = {}


class Reach(NamedTuple):
    """`chain`: tasks on the longest way of dependents, with itself; `unblocks`: leaves that wait for it."""

    chain: int = 1
    unblocks: int = 0


def reaches(
    leaves: Iterable[int],
    parents: Mapping[int, int | None],
    waiting: Mapping[int, Collection[int]],
    known: Mapping[int, int] = _NO_CHAINS,
) -> dict[int, Reach]:
    """Return the reach of leaves. `waiting` has the leaves that wait for a task or group, by a row of their own.

    `known` are the chains of waiting leaves that are not to be counted. Raises graphlib.CycleError.
    """
    longest: dict[int, int] = {}
    below: dict[int, frozenset[int]] = {}
    wanted = list(leaves)
    for node in _order(wanted, parents, waiting, known):
        above, own = parents.get(node), waiting.get(node, ())
        from_above = longest.get(above, 0) if above is not None else 0
        longest[node] = max(from_above, *(known.get(each) or 1 + longest[each] for each in own), 0)
        shared = below.get(above, _NO_LEAVES) if above is not None else _NO_LEAVES
        below[node] = shared.union(own) if own else shared  # most leaves of a group share one set
    return {leaf: Reach(1 + longest[leaf], len(below[leaf])) for leaf in wanted}


def _order(
    leaves: Iterable[int],
    parents: Mapping[int, int | None],
    waiting: Mapping[int, Collection[int]],
    known: Mapping[int, int],
) -> Iterable[int]:
    """Return leaves and the groups above, each after its parent and after what waits for it."""
    sorter: TopologicalSorter[int] = TopologicalSorter()
    seen: set[int] = set()
    stack = list(leaves)
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            above = parents.get(node)
            first = [each for each in waiting.get(node, ()) if each not in known]
            first += [] if above is None else [above]
            sorter.add(node, *first)
            stack += first
    return sorter.static_order()
