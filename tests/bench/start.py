"""How fast a server is there, how long its list of tools is, and how much memory it takes after work."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from statistics import median
from subprocess import check_output
from time import perf_counter
from typing import Any

from orchestrator_site.mcp.server import build_server
from tasks.services.caller import Caller
from tests.bench import entry_points, loop
from tests.bench.context import Bench
from tests.bench.figures import Figure, times
from tests.homes import ROOT

_LOOK = """
import json, time
import django; django.setup()
from orchestrator_site.mcp.server import load_tools; load_tools()
began, used = time.perf_counter(), time.process_time()
from maintenance.upgrades.ensure_schema import ensure_schema
ensure_schema()
print(json.dumps([(time.perf_counter() - began) * 1000, (time.process_time() - used) * 1000]))
"""


def start(bench: Bench) -> Iterator[Figure]:
    """From starting the process to the answer of tools/list; the first start of all compiles and is not counted."""
    folder = bench.folder("start")
    for era, modern in (("handshake", False), ("2026-07-28", True)):
        samples = []
        for run in range(bench.runs(30) // 3 + 1):
            began = perf_counter()
            with entry_points.server(bench.home, folder, modern=modern) as client:
                client.request("tools/list")
                if run:
                    samples.append(perf_counter() - began)
        yield times(f"spawn to tools/list answered, {era}", samples, goal=0.7, unit="s", peer=0.19)
    yield _nothing_to_upgrade(bench)


def _nothing_to_upgrade(bench: Bench) -> Figure:
    """What every start does first, in processes that have just loaded what serves."""
    samples = [json.loads(check_output([sys.executable, "-c", _LOOK], cwd=ROOT)) for _ in range(bench.runs(30) // 3)]
    wall, used = zip(*samples, strict=True)
    return times("a start that finds nothing to upgrade", wall, goal=15, cpu={"worker": median(used)})


def lists(bench: Bench) -> Iterator[Figure]:
    """How much of a model's context the tools take."""
    for what, toolset, goal in (("core", "core", 6_000), ("all toolsets", "all", 20_000)):
        bridge = build_server(caller_for=_nobody, toolsets=[toolset])
        tools = [tool.model_dump(by_alias=True, exclude_none=True) for tool in asyncio.run(bridge.list_tools())]
        yield Figure(f"tools/list, {what}", entry_points.size_of({"tools": tools}), "B", goal=goal, peer=18_400)


def memory(bench: Bench) -> Iterator[Figure]:
    """Front and worker together, at rest and after work; PSS counts what processes share only once."""
    with entry_points.server(bench.home, bench.folder("memory")) as client:
        client.request("tools/list")
        yield _pair("memory of front + worker, idle", entry_points.memory(client), "rss", None)
        timed = entry_points.Timed(entry_points.over(client))
        calls = sum(loop.plan_of_eight(timed, number) for number in range(bench.runs(60)))
        used = entry_points.memory(client)
        yield _pair(f"memory of front + worker, after {calls:,} calls (RSS)", used, "rss", 110)
        yield _pair(f"memory of front + worker, after {calls:,} calls (PSS)", used, "pss", 110)


def memory_on_large(bench: Bench) -> Iterator[Figure]:
    """The same on a board of 100,000."""
    board = bench.board(bench.sizes[1])
    with entry_points.server(bench.home, board.folder) as client:
        for _ in range(10):
            entry_points.over(client)("get_status", include_completed=True)
        used = entry_points.memory(client)
        yield _pair(f"memory on a board of {board.size:,}, after get_status (RSS)", used, "rss", None)


def _pair(what: str, used: dict[str, float], kind: str, goal: float | None) -> Figure:
    return Figure(what, used[kind], "MB", goal, peer=74 if goal else None)


def _nobody(_: Any) -> Caller:
    raise AssertionError("A list needs no caller.")
