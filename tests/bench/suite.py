"""Every benchmark by its name, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tests.bench import (
    artifact,
    http,
    insights,
    isolation,
    large,
    loop,
    maintenance,
    next_task,
    pages,
    resident,
    restarts,
    routing,
    search,
    start,
    storm,
    templates,
    uploads,
)
from tests.bench.context import Bench
from tests.bench.figures import Figure

BENCHMARKS: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "start": start.start,
    "lists": start.lists,
    "plan": loop.plan,
    "work": loop.work,
    "templates": templates.templates,
    "storm": storm.storm,
    "million": artifact.million,
    "artifact": artifact.artifact,
    "search": search.search,
    "uploads": uploads.uploads,
    "memory": start.memory,
    "resident": resident.resident,
    "http": http.http,
    "restarts": restarts.restarts,
    "isolation": isolation.isolation,
    "routing": routing.routing,
    "status": large.status,
    "welcome": large.welcome,
    "next": next_task.next_task,
    "pages": pages.pages,
    "insights": insights.insights,
    "work-on-large": loop.work_on_large,
    "memory-on-large": start.memory_on_large,
    "maintenance": maintenance.maintenance,  # the last: it optimises the database
}


def run(home: Path, names: Iterable[str], *, quick: bool) -> Iterator[Figure]:
    """Run some benchmarks; those that need large boards come last, so that the others see a common database."""
    bench = Bench(home, quick)
    for name, benchmark in BENCHMARKS.items():
        if name in names:
            yield from benchmark(bench)
