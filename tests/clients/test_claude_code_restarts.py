"""Claude Code does the whole job while its server is restarted and killed between its calls, and notices nothing."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psutil

from orchestrator_site.kernel.introduction import heeded
from tests.clients.checks import check_actor, check_job, owner_of
from tests.clients.conftest import Board
from tests.clients.network import ROOT
from tests.clients.programs import claude_code, stdio_entry
from tests.clients.stage import Ran, Stage
from tests.clients.test_claude_code import check_ended
from tests.mcp.stdio_client import children
from tests.site.processes import wait_until
from tests.storm.audit import audit

STOPS = (signal.SIGHUP, signal.SIGKILL) * 4
"""One after each of the first calls: a restart, or the death of what serves."""


def test_it_notices_nothing_of_restarts_and_deaths_of_its_worker(stage: Stage, fresh_home: Path) -> None:
    check_undisturbed(stage, fresh_home)


def test_it_notices_nothing_of_restarts_and_deaths_of_the_site_that_serves_it(stage: Stage, board: Board) -> None:
    check_undisturbed(stage, board.home, site=running("up")[0])


def check_undisturbed(stage: Stage, home: Path, site: int = 0) -> None:
    """Check the whole job, while the site or else the worker is stopped."""
    held = [stage.hold(number) for number in range(1, len(STOPS) + 1)]
    entry = stdio_entry(sys.executable, ROOT / "manage.py", **heeded(os.environ), ORCHESTRATOR_HOME=str(home))
    proxies = set()
    with ThreadPoolExecutor(1) as pool:
        client = pool.submit(claude_code, stage, entry)
        for number, (how, file) in enumerate(zip(STOPS, held, strict=True), 1):
            until(client, lambda number=number: len(stage.shown()) == number, "the next call")
            (proxy,) = running("mcp_serve")
            proxies.add(proxy)
            until(client, lambda proxy=proxy: bool(children(proxy)) == (not site), "the one that serves it")
            stop(client, site or proxy, how)
            file.unlink()
    ran = client.result()
    check_job(stage, ran, home)
    check_ended(ran)
    check_actor(home, owner_of(home), "claude-code")
    assert len(proxies) == 1
    with audit(home) as found:
        assert found.rows("SELECT count(*) FROM tasks_session") == [(1,)]


def running(command: str) -> list[int]:
    """Return our processes that run a command of the product."""
    return [each.pid for each in psutil.Process().children(recursive=True) if command in each.cmdline()[2:3]]


def until(client: Future[Ran], question: Callable[[], bool], what: str) -> None:
    wait_until(lambda: client.done() or question(), what)
    assert not client.done(), client.result()


def stop(client: Future[Ran], parent: int, how: signal.Signals) -> None:
    """Restart or kill the only child of a process that serves; return once another one is there."""
    (before,) = children(parent)
    os.kill(parent if how == signal.SIGHUP else before, how)
    until(client, lambda: len(found := children(parent)) == 1 and found != [before], "another one")
