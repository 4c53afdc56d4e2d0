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

from tests.mcp.resident import serving
from tests.mcp.stdio_client import DEADLINE_SECONDS, ROOT, children, environment, is_alive

pytestmark = [pytest.mark.storm, pytest.mark.timeout(900)]

TIMES = 20
How = Literal["graceful", "kill"]
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

    def account(self) -> str:
        pauses = ", ".join(f"{how} p50 {median(pauses):.2f} s" for how, pauses in self.pauses.items())
        done = f"{TIMES} restarts and {TIMES} kills, {len(self.planned)} plans, {dict(self.codes)}"
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


async def _stop_one(parent: int, how: How, steady: Steady) -> None:
    """Restart or kill what serves; return once another one has planned something, and note the longest call."""
    steady.longest = 0.0
    (before,) = children(parent)
    os.kill(*((parent, signal.SIGHUP) if how == "graceful" else (before, signal.SIGKILL)))
    await _until(lambda: len(found := children(parent)) == 1 and found != [before], f"the end of {before}")
    planned = len(steady.planned)
    await _until(lambda: len(steady.planned) > planned + 3, "further plans")
    steady.pauses.setdefault(how, []).append(steady.longest)


def _order(*, is_alternating: bool) -> list[How]:
    """A web server that dies again and again has to wait, but not the one after a restart."""
    return ["graceful", "kill"] * TIMES if is_alternating else ["graceful"] * TIMES + ["kill"] * TIMES


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


async def _storm(home: Path, project: Path, mode: Literal["legacy", "auto"], site: int = 0) -> tuple[Steady, int]:
    """Stop what serves a client: a worker of its own, or the web server of a site."""
    server = StdioServerParameters(
        command=sys.executable, args=[str(ROOT / "manage.py"), "mcp_serve"], env=environment(home, trial=False)
    )
    with (home.parent / "stderr").open("w") as errors:
        others = set(children(os.getpid()))
        async with Client(stdio_client(server, errlog=errors), mode=mode) as client, anyio.create_task_group() as tasks:
            (proxy,) = set(children(os.getpid())) - others
            parent = site or proxy
            steady = Steady(client, project)
            tasks.start_soon(steady.run)
            await _until(lambda: steady.planned, "a first plan")
            after_graceful = 0
            for how in _order(is_alternating=bool(site)):
                if site:
                    await _until(lambda: not children(proxy), "the return to the site")
                elif how == "kill":
                    await _until(lambda: len(_restarts(home)) >= TIMES, "the last record")
                codes = steady.codes.total()
                await _stop_one(parent, how, steady)
                if how == "graceful":
                    after_graceful += steady.codes.total() - codes
            assert is_alive(proxy)
            tasks.cancel_scope.cancel()
    return steady, after_graceful


def test_a_client_that_never_pauses_loses_nothing_and_does_nothing_twice(
    home: Path, project: Path, tell: Callable[[str], None]
) -> None:
    steady, after_graceful = anyio.run(_storm, home, project, "auto")
    assert after_graceful == 0
    done = _done_once(home)
    assert done >= set(steady.planned)
    assert len(done) <= len(steady.planned) + 1  # the one that the end interrupted
    assert _restarts(home) == [("done", 0)] * TIMES
    tell(steady.account())


def test_a_client_that_a_site_serves_does_neither(home: Path, project: Path, tell: Callable[[str], None]) -> None:
    with serving(home, trial=False) as site:
        steady, after_graceful = anyio.run(_storm, home, project, "legacy", site.process.pid)
    assert after_graceful == 0
    assert _done_once(home) >= set(steady.planned)
    tell(f"the same of a site: {steady.account()}")
