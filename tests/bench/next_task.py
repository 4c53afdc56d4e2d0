"""The next ready task: how fast it is found on a large board, and how soon plans end that are done in its order."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.identity.actor import Actor
from tasks.models import Session, Task
from tasks.selectors.next_task import next_tasks
from tasks.services.claim import claim_next
from tasks.services.steer import release
from tests.bench.boards import Board
from tests.bench.context import Bench
from tests.bench.figures import Figure, milliseconds, times
from tests.makespan import AGENTS, BOARDS, GRAPHS, ORDERS, over_lower_bound


def next_task(bench: Bench) -> Iterator[Figure]:
    """The query alone, what is said about it, and the whole claim: also where all but the last task has to wait."""
    for held_back in (False, True):
        board = bench.board(bench.sizes[1], held_back=held_back)
        where = f"{board.size:,}, all but the last held back" if held_back else f"{board.size:,}"
        ready = Task.objects.filter(project=board.project).ready()
        session = Session.objects.filter(project=board.project).earliest("pk")
        samples = milliseconds(ready.first, runs=bench.runs(50))
        yield times(f"next ready task, query, {where}", samples, goal=3)
        samples = milliseconds(lambda: next_tasks(board.project, session), runs=bench.runs(50))  # noqa: B023
        yield times(f"next ready tasks with reasons, {where}", samples, goal=5)
        samples = milliseconds(lambda: _claim_and_release(board, session), runs=bench.runs(50))  # noqa: B023
        yield times(f"next ready task, claimed and released, {where}", samples)
    for board_name, graphs in BOARDS.items():
        for name, order in ORDERS.items():
            over = 100 * over_lower_bound(order, graphs())
            note = f"mean of {GRAPHS} seeded boards, {AGENTS} agents"
            yield Figure(f"makespan over the lower bound, {board_name}, {name}", over, "%", runs=GRAPHS, note=note)


def _claim_and_release(board: Board, session: Session) -> None:
    session.project = board.project
    actor = Actor.assistant(session)
    release(task=claim_next(project=board.project, actor=actor).task, actor=actor)
