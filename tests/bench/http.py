"""The bridge over HTTP under a crowd: 32 clients on a board of 10,000 tasks, next to the SDK alone."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tasks.choices import Status
from tasks.models import Task
from tests.bench.boards import Board
from tests.bench.context import Bench
from tests.bench.figures import Figure
from tests.mcp.http_client import FULL, Served, served

CLIENTS = 32
READ_SHARE = 35
"""What share of the SDK's own rate reads have to reach, in percent."""
LOOP_RATE = 250


def http(bench: Bench) -> Iterator[Figure]:
    """A no-op of the SDK alone, reads through all of our own, and the loop of claiming and delivering."""
    board = bench.board(10_000)
    seconds = 3.0 if bench.quick else 30.0
    with _bare() as port:
        bare = _Crowd("noop", _run(port=port, kind="noop", seconds=seconds / 3))
    yield from bare.figures("SDK alone, a tool that does nothing")
    with served(bench.home, {"crowd": FULL}) as site:
        given = _given(site, board)
        read = _Crowd("read", _run(**given, kind="read", seconds=seconds))
        yield from read.figures("the status of a task, board of 10,000")
        share = 100 * read.rate / bare.rate
        yield Figure("HTTP, such reads as a share of the SDK's own rate", share, "%", READ_SHARE, at_least=True)
        work = _Crowd("work", _run(**given, kind="work", seconds=seconds))
        yield from work.figures("execute, status, complete, board of 10,000", goal=LOOP_RATE)
        yield Figure("HTTP, acknowledged deliveries lost", _lost(work.acknowledged), "", goal=0)


class _Crowd:
    """What a crowd measured."""

    def __init__(self, kind: str, said: dict[str, Any]) -> None:
        self.errors: list[str] = said["errors"] + ["a client was cut off"] * said["cut_off"]
        self.acknowledged: list[str] = said["acknowledged"]
        self._taken = sorted(said["taken"])
        self.rate = len(self._taken) / said["seconds"]
        if self.errors:
            print(f"{kind}: {self.errors[0]}", file=sys.stderr)

    def figures(self, what: str, *, goal: float | None = None) -> Iterator[Figure]:
        """Return rate, spread and errors."""
        name = f"HTTP, {CLIENTS} clients, {what}"
        yield Figure(f"{name}, rate", self.rate, "/s", goal, runs=len(self._taken), at_least=True)
        for percent in (50, 95, 99):
            yield Figure(f"{name}, p{percent}", self._taken[len(self._taken) * percent // 100], "ms")
        yield Figure(f"{name}, errors", len(self.errors), "", goal=0)


def _given(site: Served, board: Board) -> dict[str, Any]:
    client = site.client("crowd")
    folder = str(board.folder)
    sessions = [
        client.call("orchestrator_initialize_session", project_dir=folder)["session_id"] for _ in range(CLIENTS)
    ]
    ids = list(Task.objects.filter(project=board.project).leaves().values_list("public_id", flat=True)[:2000])
    return {"port": site.port, "token": client.secret, "ids": ids, "sessions": sessions}


def _run(**given: Any) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.crowd"],
        input=json.dumps({"clients": CLIENTS, "token": "", **given}),
        capture_output=True,
        text=True,
        check=True,
    )
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@contextmanager
def _bare() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-m", "tests.bench.bare", str(listener.fileno())]
        process = subprocess.Popen(command, pass_fds=[listener.fileno()], stdout=subprocess.PIPE)
        try:
            assert process.stdout
            process.stdout.readline()
            yield int(listener.getsockname()[1])
        finally:
            process.kill()
            process.communicate()


def _lost(acknowledged: list[str]) -> int:
    done = Task.objects.filter(public_id__in=acknowledged, status=Status.COMPLETED, artifacts__isnull=False)
    return len(acknowledged) - done.distinct().count()
