"""The SDK's client calls without pause while its server is restarted and killed; the database counts what was done."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any, Literal

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.mcp.stdio_client import DEADLINE_SECONDS, ROOT, children, environment, is_alive

TIMES = [5, pytest.param(20, marks=[pytest.mark.storm, pytest.mark.timeout(900)])]
PART = [{"title": "One", "description": "Do one", "specialist_type": "tester"}]


class Steady:
    """Plans one task after the other, and repeats a call with its key until it succeeds."""

    def __init__(self, client: Client, project: Path) -> None:
        self.planned: list[str] = []
        self.codes: Counter[str] = Counter()
        self.longest = 0.0
        self.pauses: dict[str, list[float]] = {}
        self._client = client
        self._project = project

    async def run(self) -> None:
        await self._call("orchestrator_initialize_session", project_dir=str(self._project))
        while True:
            name = f"plan {len(self.planned)}"
            await self._call("orchestrator_plan_task", description=name, subtasks=PART, idempotency_key=name)
            self.planned.append(name)

    async def _call(self, tool: str, **arguments: Any) -> None:
        began = monotonic()
        while (result := await self._client.call_tool(tool, arguments)).is_error:
            facts: dict[str, Any] = result.structured_content or {}
            self.codes[facts["code"]] += 1
            assert facts["code"] == "transient", facts
        self.longest = max(self.longest, monotonic() - began)


async def _until(question: Callable[[], Any], what: str) -> None:
    with anyio.move_on_after(DEADLINE_SECONDS) as limit:
        while not question():
            await anyio.sleep(0.01)
    assert not limit.cancelled_caught, what


async def _stop_one(proxy: int, how: Literal["graceful", "kill"], steady: Steady) -> None:
    """Restart or kill the worker; return once another one has planned something, and note the longest call."""
    steady.longest = 0.0
    (before,) = children(proxy)
    os.kill(*((proxy, signal.SIGHUP) if how == "graceful" else (before, signal.SIGKILL)))
    await _until(lambda: len(found := children(proxy)) == 1 and found != [before], f"the end of {before}")
    planned = len(steady.planned)
    await _until(lambda: len(steady.planned) > planned + 3, "further plans")
    steady.pauses.setdefault(how, []).append(steady.longest)


def _restarts(home: Path) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(home / "orchestrator.sqlite3")) as database:
        return database.execute("SELECT state, calls_cut_off FROM orchestrator_site_restart").fetchall()


async def _storm(home: Path, project: Path, mode: Literal["legacy", "auto"], times: int) -> tuple[Steady, int]:
    server = StdioServerParameters(
        command=sys.executable, args=[str(ROOT / "manage.py"), "mcp_serve"], env=environment(home, trial=False)
    )
    with (home.parent / "stderr").open("w") as errors:
        async with Client(stdio_client(server, errlog=errors), mode=mode) as client, anyio.create_task_group() as tasks:
            (proxy,) = children(os.getpid())
            steady = Steady(client, project)
            tasks.start_soon(steady.run)
            await _until(lambda: steady.planned, "a first plan")
            for _ in range(times):
                await _stop_one(proxy, "graceful", steady)
            after_graceful = steady.codes.total()
            await _until(lambda: len(_restarts(home)) == times, "the last record")
            for _ in range(times):
                await _stop_one(proxy, "kill", steady)
            assert is_alive(proxy)
            tasks.cancel_scope.cancel()
    return steady, after_graceful


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("times", TIMES)
def test_a_client_that_never_pauses_loses_nothing_and_does_nothing_twice(
    home: Path, project: Path, mode: Literal["legacy", "auto"], times: int, tell: Callable[[str], None]
) -> None:
    steady, after_graceful = anyio.run(_storm, home, project, mode, times)
    assert after_graceful == 0
    with closing(sqlite3.connect(home / "orchestrator.sqlite3")) as database:
        rows = database.execute("SELECT description FROM tasks_task WHERE parent_id IS NULL").fetchall()
    done = Counter(name for (name,) in rows)
    assert set(done.values()) == {1}
    assert set(steady.planned) <= set(done)
    assert len(done) <= len(steady.planned) + 1  # the one that the end interrupted
    assert _restarts(home) == [("done", 0)] * times
    pauses = ", ".join(f"{how} p50 {median(pauses):.2f} s" for how, pauses in steady.pauses.items())
    tell(f"{times} restarts and {times} kills, {len(done)} plans, {dict(steady.codes)}; longest call of each: {pauses}")
