"""The loop that assistants run: plan, execute, complete, with delivered work of 12,534 characters."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

from tests.bench import doors
from tests.bench.context import Bench
from tests.bench.doors import Call, Facts
from tests.bench.figures import Figure, times

WORK_CHARACTERS = 12_534
_PARAGRAPH = (
    "The order book is read once and kept; every change goes through one function, which writes its event in the same "
    "transaction. Callers that lose a race are told so and look again.\n\n"
)
_STEPS = (
    ("survey", "researcher", "Find out how the order book behaves today", []),
    ("design", "architect", "Design the change", ["survey"]),
    ("compare", "researcher", "Compare what others do", ["survey"]),
    ("build", "implementer", "Build it behind a switch", ["design", "compare"]),
    ("test", "tester", "Test it with real processes", ["build"]),
    ("document", "documenter", "Document it", ["build"]),
    ("review", "reviewer", "Review it", ["test", "document"]),
    ("release", "implementer", "Turn it on", ["review"]),
)


def plan(bench: Bench) -> Iterator[Figure]:
    """Plans of 8 and of 1,000."""
    with doors.both(bench.home, bench.folder("plan")) as ways:
        for size, goal, runs in ((8, 15, bench.runs(100)), (1000, 500, bench.runs(30) // 3)):
            for name, call in ways:
                samples = [_timed(call, "plan_task", **plan_of(size, number))[1] for number in range(runs + 1)]
                yield times(f"plan of {size:,}, {name}", samples[1:], goal=goal if name == "pipe" else None)


def work(bench: Bench) -> Iterator[Figure]:
    """Execute and complete, plan by plan of eight with dependencies."""
    with doors.both(bench.home, bench.folder("work")) as ways:
        for name, call in ways:
            yield from _work(name, call, bench.runs(30), goals=(6, 8) if name == "pipe" else (None, None))


def work_on_large(bench: Bench) -> Iterator[Figure]:
    """The same on a board of 100,000, where finding the next task is part of both."""
    board = bench.board(bench.sizes[1])
    with doors.both(bench.home, board.folder) as ways:
        for name, call in ways:
            yield from _work(f"board of {board.size:,}, {name}", call, bench.runs(10), goals=(None, None))


def _work(name: str, call: Call, plans: int, goals: tuple[float | None, float | None]) -> Iterator[Figure]:
    work_off = WorkOff(call)
    for number in range(plans):
        work_off.plan_of_eight(number)
    yield times(f"execute, {name}", work_off.execute_ms[8:], goal=goals[0])
    yield times(f"complete with 12,534 characters, {name}", work_off.complete_ms[8:], goal=goals[1])


class WorkOff:
    """Plans jobs and works them off, noting how long each call took."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.execute_ms: list[float] = []
        self.complete_ms: list[float] = []
        self.calls = 0

    def plan_of_eight(self, number: int) -> None:
        """Plan eight subtasks and work them off, each by its id."""
        planned = self._call("plan_task", **plan_of(8, number))
        for task in planned["subtasks"]:
            self._one(task["task_id"])
        self.calls += 1

    def _one(self, task_id: str) -> None:
        taken, spent = _timed(self._call, "execute_subtask", task_id=task_id)
        self.execute_ms.append(spent)
        _, spent = _timed(self._call, "complete_subtask", **delivery(task_id, taken["lease_number"]))
        self.complete_ms.append(spent)
        self.calls += 2


def plan_of(size: int, number: int) -> Facts:
    """Return the arguments of a plan: eights with the same dependencies, under keys of their own."""
    return {
        "description": f"Renew the order book, part {number}",
        "subtasks": [_subtask(place // len(_STEPS), place % len(_STEPS)) for place in range(size)],
    }


def delivery(task_id: str, lease_number: int) -> Facts:
    """Return the arguments of a completion with work that no other has."""
    return {
        "task_id": task_id,
        "lease_number": lease_number,
        "summary": "Done as described; what is left open stands at the end of the work.",
        "detailed_work": work_text(task_id),
        "next_action": "complete",
    }


def work_text(title: str) -> str:
    """Return a work of exactly 12,534 characters."""
    text = f"# {title}\n\n" + _PARAGRAPH * (WORK_CHARACTERS // len(_PARAGRAPH) + 1)
    return text[:WORK_CHARACTERS]


def _subtask(group: int, place: int) -> Facts:
    key, specialist, title, needs = _STEPS[place]
    return {
        "key": f"{key}-{group}",
        "title": f"{title} ({group})",
        "description": f"{title}. Say what you found and what is left open.",
        "specialist_type": specialist,
        "dependencies": [f"{need}-{group}" for need in needs],
    }


def _timed(call: Call, tool: str, **arguments: object) -> tuple[Facts, float]:
    began = perf_counter()
    facts = call(tool, **arguments)
    return facts, (perf_counter() - began) * 1000
