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
from time import monotonic, time
from typing import Any, Literal

import anyio
import psutil
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from orchestrator_site.up.child import STEADY_SECONDS
from tests.mcp.resident import serving
from tests.mcp.stdio_client import DEADLINE_SECONDS, ROOT, children, environment, is_alive

ALL = 20
STORM = [pytest.mark.storm, pytest.mark.timeout(900)]
TIMES = [5, pytest.param(ALL, marks=STORM)]
TIMES_OF_SITE = [("legacy", 3), ("auto", 3), pytest.param("auto", ALL, marks=STORM)]
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

    def account(self, times: int) -> str:
        pauses = ", ".join(f"{how} p50 {median(pauses):.2f} s" for how, pauses in self.pauses.items())
        done = f"{times} restarts and {times} kills, {len(self.planned)} plans, {dict(self.codes)}"
        return f"{done}; longest call of each: {pauses}"

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


async def _stop_one(parent: int, how: Literal["graceful", "kill"], steady: Steady) -> None:
    """Restart or kill what serves; return once another one has planned something, and note the longest call."""
    steady.longest = 0.0
    (before,) = children(parent)
    os.kill(*((parent, signal.SIGHUP) if how == "graceful" else (before, signal.SIGKILL)))
    await _until(lambda: len(found := children(parent)) == 1 and found != [before], f"the end of {before}")
    planned = len(steady.planned)
    await _until(lambda: len(steady.planned) > planned + 3, "further plans")
    steady.pauses.setdefault(how, []).append(steady.longest)


def _age_seconds(pid: int) -> float:
    return time() - psutil.Process(pid).create_time()


def _done_once(home: Path) -> set[str]:
    """Return what was planned, after a check that nothing was planned twice."""
    with closing(sqlite3.connect(home / "orchestrator.sqlite3")) as database:
        rows = database.execute("SELECT description FROM tasks_task WHERE parent_id IS NULL").fetchall()
    done = Counter(name for (name,) in rows)
    assert set(done.values()) == {1}
    return set(done)


def _restarts(home: Path) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(home / "orchestrator.sqlite3")) as database:
        return database.execute("SELECT state, calls_cut_off FROM orchestrator_site_restart").fetchall()


async def _storm(
    home: Path, project: Path, mode: Literal["legacy", "auto"], times: int, site: int = 0
) -> tuple[Steady, int]:
    """Stop what serves a client: a worker of its own, or the web server of a site."""
    server = StdioServerParameters(
        command=sys.executable, args=[str(ROOT / "manage.py"), "mcp_serve"], env=environment(home, trial=False)
    )
    with (home.parent / "stderr").open("w") as errors:
        async with Client(stdio_client(server, errlog=errors), mode=mode) as client, anyio.create_task_group() as tasks:
            (proxy,) = (pid for pid in children(os.getpid()) if pid != site)
            parent = site or proxy
            steady = Steady(client, project)
            tasks.start_soon(steady.run)
            await _until(lambda: steady.planned, "a first plan")
            for _ in range(times):
                await _stop_one(parent, "graceful", steady)
            after_graceful = steady.codes.total()
            await _until(lambda: len(_restarts(home)) >= times, "the last record")
            for _ in range(times):
                if site:
                    await _until(lambda: not children(proxy), "the return to the site")
                if site and times == ALL:  # else the supervisor waits, and the assistant has a worker
                    await _until(lambda: _age_seconds(children(site)[0]) > STEADY_SECONDS, "a steady web server")
                await _stop_one(parent, "kill", steady)
            assert is_alive(proxy)
            tasks.cancel_scope.cancel()
    return steady, after_graceful


@pytest.mark.parametrize(("mode", "times"), TIMES_OF_SITE)
def test_a_client_that_a_site_serves_does_neither(
    home: Path, project: Path, mode: Literal["legacy", "auto"], times: int, tell: Callable[[str], None]
) -> None:
    with serving(home, trial=False) as site:
        steady, after_graceful = anyio.run(_storm, home, project, mode, times, site.process.pid)
    assert after_graceful == 0
    assert _done_once(home) >= set(steady.planned)
    tell(f"the same of a site: {steady.account(times)}")


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("times", TIMES)
def test_a_client_that_never_pauses_loses_nothing_and_does_nothing_twice(
    home: Path, project: Path, mode: Literal["legacy", "auto"], times: int, tell: Callable[[str], None]
) -> None:
    steady, after_graceful = anyio.run(_storm, home, project, mode, times)
    assert after_graceful == 0
    done = _done_once(home)
    assert done >= set(steady.planned)
    assert len(done) <= len(steady.planned) + 1  # the one that the end interrupted
    assert _restarts(home) == [("done", 0)] * times
    tell(steady.account(times))
