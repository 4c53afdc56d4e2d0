"""How long an assistant waits while what serves it is restarted or killed, and what the site refuses then."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import perf_counter, time

import psutil

from orchestrator_site.up.child import STEADY_SECONDS
from tests.bench import entry_points
from tests.bench.context import Bench
from tests.bench.figures import Figure, times
from tests.mcp.resident import serving
from tests.mcp.secured import secured
from tests.mcp.stdio_client import StdioClient, children, wait_for
from tests.site.test_restart import TOKENS, Steady, restart

HTTP_CLIENTS = 16
CALLS_AFTER = 5


def restarts(bench: Bench) -> Iterator[Figure]:
    """One assistant over a pipe that calls without pause, and sixteen over HTTP."""
    with entry_points.server(bench.home, bench.folder("restarts")) as client:
        entry_points.over(client)("initialize_session")
        graceful = [_longest_call(client, client.process.pid, signal.SIGHUP) for _ in range(bench.runs(20))]
        wait_for(lambda: len(_seconds(bench.home)) >= len(graceful), "the last record")
        killed = [_longest_call(client, client.process.pid, signal.SIGKILL) for _ in range(bench.runs(20))]
    yield times("restart, longest call", graceful, goal=0.1, unit="s")
    yield times("restart, all of it", _seconds(bench.home)[-len(graceful) :], goal=5, unit="s")
    yield times("kill -9 of the worker, longest call", killed, goal=2, unit="s")
    yield from _by_site(bench)
    yield from _over_http(bench)


def _by_site(bench: Bench) -> Iterator[Figure]:
    """The same where the web server of a site serves the assistant."""
    folder = bench.folder("restarts-of-site")
    with (
        serving(bench.home, folder=bench.home.parent / "restarted", trial=False) as site,
        entry_points.server(bench.home, folder) as client,
    ):
        entry_points.over(client)("initialize_session")
        graceful = [_longest_call(client, site.process.pid, signal.SIGHUP) for _ in range(bench.runs(20))]
        killed = [_kill_steady_site(client, site.process.pid) for _ in range(bench.runs(10))]
    yield times("site runs, restart, longest call", graceful, goal=0.1, unit="s")
    yield times("site runs, kill -9 of the web server, longest call", killed, goal=2, unit="s")


def _kill_steady_site(client: StdioClient, site: int) -> float:
    wait_for(lambda: not children(client.process.pid), "the return to the site")
    web_server = psutil.Process(children(site)[0])
    wait_for(lambda: time() - web_server.create_time() > STEADY_SECONDS, "a steady web server")
    return _longest_call(client, site, signal.SIGKILL)


def _longest_call(client: StdioClient, parent: int, sig: signal.Signals) -> float:
    """Restart or kill the only child of a process; return the longest call until another one has answered some."""
    before, longest, after = children(parent)[0], 0.0, 0
    os.kill(before if sig == signal.SIGKILL else parent, sig)
    while after < CALLS_AFTER:
        began = perf_counter()
        entry_points.over(client)("get_status")
        longest = max(longest, perf_counter() - began)
        after += before not in wait_for(lambda: children(parent), "another one")
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
    yield Figure(f"HTTP, refused of {calls:,} calls", failed, "", goal=0)
