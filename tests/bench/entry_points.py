"""The two ways to call a tool that are compared: in this process, and over the pipe as users do."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from orchestrator_site.kernel.identity import Principal
from orchestrator_site.mcp import dispatch, registry
from orchestrator_site.mcp.server import load_tools
from tasks.services.caller import Caller
from tests.bench.figures import Figure, times
from tests.mcp.stdio_client import StdioClient, children, connected

Facts = dict[str, Any]
Call = Callable[..., Facts]


class Failed(Exception):
    """A call that had to succeed did not."""


def in_process(folder: Path) -> Call:
    """Return the way to call a tool without pipe and protocol."""
    load_tools()
    tools = {tool.name: tool for tool in registry.tools(["all"])}
    caller = Caller(
        Principal("bench"), connection_id=f"bench-{folder.name}", environ={"ORCHESTRATOR_PROJECT_DIR": str(folder)}
    )

    def call(tool: str, **arguments: Any) -> Facts:
        return _good(tool, json.loads(dispatch.run(tools[f"orchestrator_{tool}"], arguments, caller).text))

    return call


@contextmanager
def server(home: Path, folder: Path, **options: Any) -> Iterator[StdioClient]:
    """Start a server for a project, and end it."""
    with connected(home, trial=False, ORCHESTRATOR_PROJECT_DIR=str(folder), **options) as client:
        yield client


def over(client: StdioClient) -> Call:
    """Return the way to call a tool over a client's pipe."""

    def call(tool: str, **arguments: Any) -> Facts:
        return _good(tool, client.call(f"orchestrator_{tool}", **arguments))

    return call


@contextmanager
def both(home: Path, folder: Path, **options: Any) -> Iterator[list[tuple[str, Timed]]]:
    """Return both ways by their names; goals are compared with the pipe, which is what users feel."""
    with server(home, folder, **options) as client:
        yield [("in process", Timed(in_process(folder))), ("pipe", Timed(over(client), client))]


@dataclass(slots=True)
class Timed:
    """Calls a tool and notes how long each call took, and the CPU of each process where there are several."""

    call: Call
    client: StdioClient | None = None
    ms: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[Counter[str]]] = field(default_factory=dict)

    def __call__(self, what: str, tool: str, **arguments: object) -> Facts:
        before, began = self._cpu(), perf_counter()
        facts = self.call(tool, **arguments)
        self.ms.setdefault(what, []).append((perf_counter() - began) * 1000)
        after = self._cpu()
        after.subtract(before)
        self.cpu.setdefault(what, []).append(after)
        return facts

    def figure(self, name: str, what: str, *, skip: int = 0, **more: Any) -> Figure:
        """Return what one kind of call took, without the first ones, which fill caches."""
        taken = self.cpu[what][skip:]
        cpu = {process: median(each[process] for each in taken) for process in taken[0]}
        return times(name, self.ms[what][skip:], cpu=cpu, **more)

    def _cpu(self) -> Counter[str]:
        if self.client is None:
            return Counter()
        front = self.client.process.pid
        pids = zip(("front", "worker"), (front, *children(front)), strict=False)
        return Counter({name: cpu_ms(pid) for name, pid in pids} | {"client": process_time() * 1000})


def cpu_ms(pid: int) -> float:
    """Return what the threads of a process have used, which the scheduler counts in nanoseconds."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e6


def pages_written(home: Path, change: Callable[[], object]) -> int:
    """Return how many pages a change appends to the write-ahead log."""
    with closing(sqlite3.connect(home / "orchestrator.sqlite3")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        change()
        return int(database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1])


def size_of(facts: Facts) -> int:
    """Return how many bytes an answer has that a model reads once."""
    return len(json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode())


def memory(client: StdioClient) -> dict[str, float]:
    """Return the memory of front and worker together, in MB: resident, proportional, and the worker's peak."""
    pids = [client.process.pid, *children(client.process.pid)]
    rollups = [rollup(pid) for pid in pids]
    return {"rss": _sum(rollups, "Rss"), "pss": _sum(rollups, "Pss"), "peak": sum(map(peak, pids))}


def rollup(pid: int) -> dict[str, float]:
    """Return what the memory of a process consists of, in kB."""
    return _kilobytes(pid, "smaps_rollup")


def peak(pid: int) -> float:
    """Return the most memory that a process has had, in MB."""
    return _kilobytes(pid, "status")["VmHWM"] / 1000


def _sum(rollups: list[dict[str, float]], name: str) -> float:
    return sum(each[name] for each in rollups) / 1000


def _kilobytes(pid: int, file: str) -> dict[str, float]:
    lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    rows = [line.split() for line in lines if line.endswith(" kB")]
    return {row[0].rstrip(":"): float(row[1]) * 1.024 for row in rows}


def _good(tool: str, facts: Facts) -> Facts:
    if "code" in facts:
        raise Failed(f"{tool}: {facts}")
    return facts
