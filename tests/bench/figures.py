"""What was measured: figures with their goals, the table and the JSON that show them."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

Samples = Sequence[float]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. Where there is a goal, `value` may be at most that, or must be `at_least` that.

    `peer` is what the best of its peers took, measured elsewhere; `cpu` is the CPU of a call in ms, by process. `note`
    is what the figure does not say.
    """

    what: str
    value: float
    unit: str
    goal: float | None = None
    best: float | None = None
    p95: float | None = None
    runs: int = 1
    at_least: bool = False
    peer: float | None = None
    cpu: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def as_json(self) -> dict[str, Any]:
        """Return the facts that are there."""
        facts = {"what": self.what, "unit": self.unit, "value": round(self.value, 3), "runs": self.runs}
        spread = {"best": self.best, "p95": self.p95} if self.best is not None and self.p95 is not None else {}
        goal = {} if self.goal is None else {"goal": self.goal, "met": self.met}
        peer = {} if self.peer is None else {"peer": self.peer}
        cpu = {f"cpu_{name}": round(number, 3) for name, number in self.cpu.items()}
        note = {"note": self.note} if self.note else {}
        return facts | {name: round(number, 3) for name, number in spread.items()} | goal | peer | cpu | note


def times(
    what: str,
    samples: Samples,
    *,
    goal: float | None = None,
    unit: str = "ms",
    peer: float | None = None,
    cpu: Mapping[str, float] | None = None,
) -> Figure:
    """Make a figure of many measurements: best, median, and the 95th of a hundred where there are enough."""
    ordered = sorted(samples)
    p95 = ordered[int(len(ordered) * 0.95)] if len(ordered) >= 20 else ordered[-1]
    median = statistics.median(ordered)
    return Figure(what, median, unit, goal, ordered[0], p95, len(ordered), peer=peer, cpu=cpu or {})


def milliseconds(call: Callable[[], object], *, runs: int, warm_up: int = 2) -> list[float]:
    """Time a call again and again; the first ones fill caches and are not counted."""
    for _ in range(warm_up):
        call()
    samples = []
    for _ in range(runs):
        start = perf_counter()
        call()
        samples.append((perf_counter() - start) * 1000)
    return samples


def machine() -> dict[str, Any]:
    """Describe where the figures come from; no name of a host, no path."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gib": round(pages * size / 2**30, 1),
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "django": version("django"),
        "mcp": version("mcp"),
        "sqlite": sqlite3.sqlite_version,
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def show_heading() -> None:
    """Print the first lines of the table."""
    print(f"{'what':<68} {'goal':>10} {'[peer]':>8} {'p50/value':>12} {'best':>9} {'p95':>9} {'runs':>5}  met  CPU")
    print("-" * 150)


def show(figure: Figure) -> None:
    """Print one line of the table, as soon as it is known."""
    goal = "" if figure.goal is None else f"{'≥ ' * figure.at_least}{_number(figure.goal)} {figure.unit}"
    best, p95 = ("" if number is None else _number(number) for number in (figure.best, figure.p95))
    met = {None: "", True: "yes", False: "NO"}[figure.met]
    value = f"{_number(figure.value)} {figure.unit}"
    peer = "" if figure.peer is None else f"[{_number(figure.peer)}]"
    cpu = ", ".join(f"{name} {_number(ms)}" for name, ms in figure.cpu.items())
    rest = f"{best:>9} {p95:>9} {figure.runs:>5}  {met:<3}  {cpu}{figure.note}"
    line = f"{figure.what:<68} {goal:>10} {peer:>8} {value:>12} {rest}"
    print(line.rstrip())
    sys.stdout.flush()


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"
