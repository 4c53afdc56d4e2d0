"""One more assistant, and ten at once: each with a worker of its own, or all served by one site."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter

from tests.bench import entry_points
from tests.bench.context import Bench
from tests.bench.figures import Figure, times
from tests.mcp.resident import serving
from tests.mcp.stdio_client import StdioClient, children

ASSISTANTS = 10


def resident(bench: Bench) -> Iterator[Figure]:
    """The site runs while the assistants of the second way come."""
    folder = bench.folder("resident")
    yield from _ten(bench, folder, "a worker each")
    with serving(bench.home, folder=bench.home.parent / "site", trial=False) as site:
        web_server = children(site.process.pid)[0]
        yield from _start(bench, folder, web_server)
        yield from _memory(bench, folder, web_server)
        yield from _ten(bench, folder, "one site")


def _start(bench: Bench, folder: Path, web_server: int) -> Iterator[Figure]:
    for era, modern in (("handshake", False), ("2026-07-28", True)):
        samples, used = [], []
        for run in range(bench.runs(60) // 3 + 1):
            before, began = entry_points.cpu_ms(web_server), perf_counter()
            with entry_points.server(bench.home, folder, modern=modern) as client:
                client.request("tools/list")
                if run:
                    samples.append(perf_counter() - began)
                    used.append((entry_points.cpu_ms(client.process.pid), entry_points.cpu_ms(web_server) - before))
                assert not children(client.process.pid)
        cpu = dict(zip(("front", "web server"), map(median, zip(*used, strict=True)), strict=True))
        yield times(f"spawn to tools/list answered, site runs, {era}", samples, goal=0.06, unit="s", peer=0.19, cpu=cpu)


def _memory(bench: Bench, folder: Path, web_server: int) -> Iterator[Figure]:
    """What its proxy takes, and what the web server takes more for each, after calls."""
    with _assistants(bench.home, folder, 1) as clients:  # fills what is shared
        _calls(clients, 20)
        before = entry_points.rollup(web_server)["Rss"]
        with _assistants(bench.home, folder) as more:
            _calls(more, 20)
            fronts = [entry_points.memory(client) for client in more]
            grown = (entry_points.rollup(web_server)["Rss"] - before) / 1000 / ASSISTANTS
    for kind in ("rss", "pss"):
        front = median(each[kind] for each in fronts)
        yield Figure(f"memory of one more assistant, site runs ({kind.upper()})", front + grown, "MB", 15, peer=74)
    yield Figure("of that in the web server", grown, "MB")


def _ten(bench: Bench, folder: Path, how: str) -> Iterator[Figure]:
    began = perf_counter()
    with _assistants(bench.home, folder) as clients:
        for client in clients:
            client.request("tools/list")
        yield Figure(f"ten assistants started, one after the other, {how}", perf_counter() - began, "s")
        _calls(clients, 2)
        rounds = bench.runs(60)
        began = perf_counter()
        _calls(clients, rounds)
        rate = rounds * ASSISTANTS / (perf_counter() - began)
        yield Figure(f"get_status by ten assistants at once, {how}", rate, "/s", runs=rounds * ASSISTANTS)


def _calls(clients: list[StdioClient], rounds: int) -> None:
    """Let all call at once, and the next time when each has its answer."""
    for _ in range(rounds):
        ids = [client.start_call("orchestrator_get_status") for client in clients]
        for client, id in zip(clients, ids, strict=True):
            assert "error" not in client.answer_to(id)


@contextmanager
def _assistants(home: Path, folder: Path, number: int = ASSISTANTS) -> Iterator[list[StdioClient]]:
    with ExitStack() as stack:
        yield [stack.enter_context(entry_points.server(home, folder)) for _ in range(number)]
