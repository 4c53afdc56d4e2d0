"""How long several agents take for a plan, by the order in which they take what is ready: a simulation without rows.

Graphs are those of the packaged templates, two plans at a time on one board, and made-up ones: layers, diamonds, and
parts in series or parallel. Durations are seeded, and few are long.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import log
from random import Random

from tasks.graph.chains import reaches
from tasks.library.catalogue import STARTERS
from tests.library.templates import planned
from tests.library.test_starters import PARAMETERS

GRAPHS, AGENTS = 60, 2
MEDIAN_MINUTES, SPREAD = 7.9, 1.4  # of claims that were measured; their 95th percentile is 80 and more


@dataclass(frozen=True)
class Graph:
    """A plan: what each task waits for, always tasks before it, and how many minutes it takes."""

    needs: tuple[tuple[int, ...], ...]
    minutes: tuple[float, ...]

    @cached_property
    def waiting(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        for task, needs in enumerate(self.needs):
            for need in needs:
                found[need].append(task)
        return found

    def lower_bound(self, agents: int) -> float:
        """No order is faster: the longest way, or all minutes shared by the agents."""
        ends: list[float] = []
        for task, needs in enumerate(self.needs):
            ends.append(self.minutes[task] + max((ends[need] for need in needs), default=0))
        return max(*ends, sum(self.minutes) / agents)


Order = Callable[[Graph], Callable[[int], object]]
"""What the tasks of a graph are sorted by, the next one first."""


def ours(graph: Graph) -> Callable[[int], object]:
    found = reaches(range(len(graph.needs)), {}, graph.waiting)
    return lambda task: (-found[task].chain, -found[task].unblocks, task)


def as_planned(graph: Graph) -> Callable[[int], object]:
    return lambda task: task


def shortest_first(graph: Graph) -> Callable[[int], object]:
    return lambda task: (graph.minutes[task], task)


def by_chance(graph: Graph) -> Callable[[int], object]:
    chance = Random(len(graph.needs))
    drawn = [chance.random() for _ in graph.needs]
    return lambda task: drawn[task]


ORDERS: dict[str, Order] = {
    "longest chain": ours, "plan order": as_planned, "random": by_chance, "shortest first": shortest_first,
}  # fmt: skip


def makespan(graph: Graph, order: Order, agents: int = AGENTS) -> float:
    """Let each agent take the first ready task whenever it is free, and return when the last one ends."""
    key = order(graph)
    left = [len(needs) for needs in graph.needs]
    ready = [task for task, number in enumerate(left) if not number]
    running: list[tuple[float, int]] = []
    now = 0.0
    while ready or running:
        ready.sort(key=key)  # type: ignore[arg-type]
        while ready and len(running) < agents:
            task = ready.pop(0)
            heapq.heappush(running, (now + graph.minutes[task], task))
        now, done = heapq.heappop(running)
        for task in graph.waiting.get(done, ()):
            left[task] -= 1
            if not left[task]:
                ready.append(task)
    return now


def over_lower_bound(order: Order, graphs: Iterable[Graph], agents: int = AGENTS) -> float:
    """Return by how much of the lower bound an order is slower, on the mean of the graphs."""
    found = [makespan(graph, order, agents) / graph.lower_bound(agents) - 1 for graph in graphs]
    return sum(found) / len(found)


def made_up() -> Iterator[Graph]:
    for seed in range(GRAPHS):
        chance = Random(seed)
        needs = (_layered, _diamonds, _series_parallel)[seed % 3](chance)
        yield Graph(tuple(needs), tuple(_minutes(chance) for _ in needs))


def of_templates() -> Iterator[Graph]:
    """Put two plans of packaged templates on one board, as they are expanded, one after the other."""
    plans = [_needs_of(name) for name in sorted(PARAMETERS)]
    for seed in range(GRAPHS):
        chance = Random(seed)
        first, second = chance.sample(plans, 2)
        needs = [*first, *(tuple(need + len(first) for need in each) for each in second)]
        yield Graph(tuple(needs), tuple(_minutes(chance) for _ in needs))


def _needs_of(name: str) -> list[tuple[int, ...]]:
    subtasks = planned((STARTERS / f"{name}.yaml").read_text(), **PARAMETERS[name]).subtasks
    place = {subtask.key: at for at, subtask in enumerate(subtasks)}
    return [tuple(sorted(place[need] for need in subtask.dependencies)) for subtask in subtasks]


BOARDS: dict[str, Callable[[], Iterator[Graph]]] = {"packaged templates": of_templates, "made-up graphs": made_up}


def _minutes(chance: Random) -> float:
    return chance.lognormvariate(log(MEDIAN_MINUTES), SPREAD)


def _layered(chance: Random) -> list[tuple[int, ...]]:
    """Layers, each task of which waits for a few of the layer before; some wait for nothing."""
    needs: list[tuple[int, ...]] = []
    before: list[int] = []
    for _ in range(chance.randrange(3, 7)):
        layer = range(len(needs), len(needs) + chance.randrange(2, 7))
        needs += [tuple(chance.sample(before, min(len(before), chance.randrange(3)))) for _ in layer]
        before = list(layer)
    return _shuffled(needs, chance)


def _diamonds(chance: Random) -> list[tuple[int, ...]]:
    """Several features: a design, parts that wait for it, and a review of the parts; beside loose tasks."""
    needs: list[tuple[int, ...]] = []
    for _ in range(chance.randrange(2, 5)):
        design = len(needs)
        parts = range(design + 1, design + 1 + chance.randrange(2, 5))
        needs += [(), *((design,) for _ in parts), tuple(parts)]
    return _shuffled(needs + [()] * chance.randrange(5), chance)


def _series_parallel(chance: Random) -> list[tuple[int, ...]]:
    """Chains of different lengths side by side, all of which a last task waits for."""
    needs: list[tuple[int, ...]] = []
    ends = []
    for _ in range(chance.randrange(3, 7)):
        needs.append(())
        needs += [(len(needs) + number,) for number in range(-1, chance.randrange(5))]
        ends.append(len(needs) - 1)
    return _shuffled([*needs, tuple(ends)], chance)


def _shuffled(needs: list[tuple[int, ...]], chance: Random) -> list[tuple[int, ...]]:
    """Plan the same tasks in another order in which each still comes after what it waits for."""
    place: dict[int, int] = {}
    left = list(range(len(needs)))
    while left:
        task = chance.choice([task for task in left if all(need in place for need in needs[task])])
        place[task] = len(place)
        left.remove(task)
    found: list[tuple[int, ...]] = [()] * len(needs)
    for task, at in place.items():
        found[at] = tuple(sorted(place[need] for need in needs[task]))
    return found
