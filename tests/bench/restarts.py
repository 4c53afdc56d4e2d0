"""How long an assistant waits while its server is restarted or killed, and what the site refuses meanwhile."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import perf_counter

from tests.bench import entry_points
from tests.bench.context import Bench
from tests.bench.figures import Figure, times
from tests.mcp.secured import secured
from tests.mcp.stdio_client import StdioClient, wait_for
from tests.site.test_restart import TOKENS, Steady, restart

HTTP_CLIENTS = 16
CALLS_AFTER = 5


def restarts(bench: Bench) -> Iterator[Figure]:
    """One assistant over a pipe that calls without pause, and sixteen over HTTP."""
    with entry_points.server(bench.home, bench.folder("restarts")) as client:
        entry_points.over(client)("initialize_session")
        graceful = [_longest_call(client, client.process.pid, signal.SIGHUP) for _ in range(bench.runs(20))]
        wait_for(lambda: len(_seconds(bench.home)) >= len(graceful), "the last record")
        killed = [_longest_call(client, client.worker(), signal.SIGKILL) for _ in range(bench.runs(20))]
    yield times("restart, longest call meanwhile", graceful, goal=0.1, unit="s")
    yield times("restart, all of it", _seconds(bench.home)[-len(graceful) :], goal=5, unit="s")
    yield times("kill -9 of the worker, longest call", killed, goal=2, unit="s")
    yield from _over_http(bench)


def _longest_call(client: StdioClient, pid: int, sig: signal.Signals) -> float:
    """Send a signal to the proxy or the worker; return the longest call until another worker has answered some."""
    before, longest, after = client.worker(), 0.0, 0
    os.kill(pid, sig)
    while after < CALLS_AFTER:
        began = perf_counter()
        entry_points.over(client)("get_status")
        longest = max(longest, perf_counter() - began)
        after += client.worker() != before
    return longest


def _seconds(home: Path) -> list[float]:
    with closing(sqlite3.connect(home / "orchestrator.sqlite3")) as database:
        return [took for (took,) in database.execute("SELECT seconds FROM orchestrator_site_restart ORDER BY id")]


def _over_http(bench: Bench) -> Iterator[Figure]:
    with secured(bench.folder("restarts-http"), TOKENS) as site:
        crowd = [Steady(site.client("laptop")) for _ in range(HTTP_CLIENTS)]
        for each in crowd:
            each.start()
        for _ in range(bench.runs(20)):
            restart(site)
        for each in crowd:
            each.is_over = True
            each.join()
        took = [seconds for (seconds,) in site.ask("SELECT seconds FROM orchestrator_site_restart")]
    calls, failed = sum(each.calls for each in crowd), sum(len(each.failed) for each in crowd)
    yield times(f"HTTP, {HTTP_CLIENTS} clients, restart of the site", took, goal=5, unit="s")
    yield Figure(f"HTTP, refused of {calls:,} calls meanwhile", failed, "", goal=0)
