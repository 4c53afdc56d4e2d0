"""Reads that must not grow with the board: status and the welcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.bench import entry_points
from tests.bench.boards import Board
from tests.bench.context import Bench
from tests.bench.entry_points import Facts, Timed
from tests.bench.figures import Figure

_STATUS_QUESTIONS: dict[str, Callable[[Board], Facts]] = {
    "whole project": lambda _: {},
    "one plan's tree": lambda board: {"task_id": board.plan_id},
    "one status": lambda _: {"status": "pending"},
    "status and specialist": lambda _: {"status": "completed", "specialist_type": "reviewer"},
}


def status(bench: Bench) -> Iterator[Figure]:
    """get_status: the default answer, the tree of a plan, and filters."""
    for size, goal, peer in ((16, 2.5, 2), *zip(bench.sizes, (3, 6), (10, None), strict=True)):
        board = bench.board(size)
        with entry_points.both(bench.home, board.folder) as ways:
            for question, arguments in _STATUS_QUESTIONS.items():
                what = f"get_status of {board.size:,}, {question}"
                yield from _asked(bench, what, ways, "get_status", arguments(board), goal, 2_000, peer)


def welcome(bench: Bench) -> Iterator[Figure]:
    """initialize_session."""
    for size, goal in zip(bench.sizes, (3, 8), strict=True):
        board = bench.board(size)
        with entry_points.both(bench.home, board.folder) as ways:
            what = f"initialize_session on {board.size:,}"
            yield from _asked(bench, what, ways, "initialize_session", {}, goal, 3_000, None)


def _asked(
    bench: Bench,
    what: str,
    ways: list[tuple[str, Timed]],
    tool: str,
    arguments: Facts,
    goal: float,
    bytes_goal: float,
    peer: float | None,
) -> Iterator[Figure]:
    for name, timed in ways:
        for _ in range(bench.runs(50) + 2):
            answer = timed(what, tool, **arguments)
        more = {"goal": goal, "peer": peer} if name == "pipe" else {}
        yield timed.figure(f"{what}, {name}", what, skip=2, **more)
    yield Figure(f"{what}, answer", entry_points.size_of(answer), "B", bytes_goal)
